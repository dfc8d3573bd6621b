"""The feature store: a folder of Parquet files, one row for every image, refused ones too."""

import csv
import fcntl
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import compute, dataset, parquet

from featx.core.errors import OutputError, RefusedImage, StoreError
from featx.io.formats import check_format
from featx.io.writing import as_cell, folders_for, new_file
from featx.store.columns import METADATA, descriptor_sets, make_schema
from featx.store.identity import check_same

#: The format of the stores that are written; this and all before it are read.
FORMAT = 1
# What a store says of itself beside its format.
_ABOUT = {"featx_version", "recipe", "steps", "digest", "names", "dimensions", "sets"}
_PART = re.compile(r"part-(\d{6,})\.parquet")
# Few values, many times; numbers are not repeated, and looking for that takes long.
_REPEATED = ["label", "status", "reason", "detail"]
# Of numbers, all first bytes, then all second bytes: smaller, and faster to compress.
_SPLIT = ["features.list.element", "features.list.element.list.element"]


class Features(NamedTuple):
    """The features of the images that were not refused."""

    #: One row an image, float32, (n, d); or a list of descriptor sets.
    vectors: Any
    #: The class of each image; None where it has none.
    labels: NDArray[Any]
    paths: list[str]
    #: What each column of ``vectors`` is.
    names: list[str]


def read_features(folder: str | Path, output: str = "numpy") -> Any:
    """Read what ``featx extract`` wrote.

    The folder is a Parquet data set that pyarrow, pandas, polars and DuckDB open as it stands;
    the images that were refused are in it, with the reasons, and are left out here.

    Parameters
    ----------
    folder : str or Path
        The folder.
    output : {"numpy", "pandas", "polars", "arrow"}, default="numpy"
        `Features` for scikit-learn; a data frame with the columns ``path`` and ``label`` and one
        for each feature; or the Arrow table as it is kept, without the refused images.

    Returns
    -------
    Features, pandas.DataFrame, polars.DataFrame or pyarrow.Table

    Raises
    ------
    StoreError
        If it is no such folder, or its descriptor sets are asked for as a data frame.

    Examples
    --------
    >>> from featx import read_features
    >>> read_features("no-such-folder")
    Traceback (most recent call last):
    featx.core.errors.StoreError: no-such-folder: there is no such folder.
    """
    outputs = ("numpy", "pandas", "polars", "arrow")
    if output not in outputs:
        raise StoreError(f"output {output!r}: wanted is one of {', '.join(outputs)}.")
    about = read_about(folder)
    if output == "arrow":
        return _dataset(folder).to_table(filter=_OK)
    count = _dataset(folder).count_rows(filter=_OK)
    vectors: Any = [] if about["sets"] else np.empty((count, about["dimensions"]), np.float32)
    labels, paths = list[str | None](), list[str]()
    for part in iterate_features(folder):
        if about["sets"]:
            vectors += part.vectors
        else:
            vectors[len(paths) : len(paths) + len(part.paths)] = part.vectors
        labels += part.labels.tolist()
        paths += part.paths
    features = Features(vectors, np.asarray(labels, dtype=object), paths, about["names"])
    return features if output == "numpy" else _frame(folder, features, output)


def iterate_features(folder: str | Path) -> Iterator[Features]:
    """Read features part by part; memory is needed for one of them."""
    read_about(folder)
    yield from map(read_part, part_files(folder))


def read_part(file: str) -> Features:
    """Read the features in one of the files of a store."""
    table = read_table(file)
    about = json.loads(table.schema.metadata[METADATA])
    rows = table.filter(_OK).combine_chunks()
    if about["sets"]:
        vectors: Any = descriptor_sets(rows)
    else:
        flat = rows["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        vectors = flat.reshape(rows.num_rows, about["dimensions"])
    labels = np.asarray(rows["label"].to_pylist(), dtype=object)
    return Features(vectors, labels, rows["path"].to_pylist(), about["names"])


def read_table(file: str, columns: Sequence[str] | None = None) -> Any:
    """Read columns of one of the files of a store; by default, all of them.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    try:
        return parquet.ParquetFile(file).read(columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise StoreError(f"{file}: damaged ({' '.join(str(error).split())}).") from None


def part_files(folder: str | Path) -> list[str]:
    """List the files of a store, in their order."""
    return [str(Path(folder) / _name(number)) for number in _parts(folder)]


def read_refused(folder: str | Path) -> list[RefusedImage]:
    """List the refused images of a store, with the reasons."""
    read_about(folder)
    table = _dataset(folder).to_table(
        columns=["path", "reason", "detail"], filter=compute.field("status") == "refused"
    )
    return [RefusedImage(*row.values()) for row in table.to_pylist()]


def is_store(folder: str | Path) -> bool:
    """Tell whether a folder holds what ``featx extract`` wrote."""
    return os.path.isdir(folder) and any(map(_PART.fullmatch, os.listdir(folder)))


def read_about(folder: str | Path) -> dict[str, Any]:
    """Read what a store says of itself.

    That is its format, the version of featx that wrote it, the recipe's name, the steps and their
    digest, and the number, kind and names of the features.

    Raises
    ------
    StoreError
        If it is no store, or one of a newer format.
    """
    if not Path(folder).is_dir():
        raise StoreError(f"{folder}: there is no such folder.")
    parts = _parts(folder)
    if not parts:
        raise StoreError(f"{folder}: not a folder that featx extract wrote.")
    try:
        schema = parquet.read_schema(Path(folder) / _name(parts[0]))
        about: dict[str, Any] = json.loads(schema.metadata[METADATA])
        if type(about["format"]) is not int:
            raise TypeError
        check_format(folder, about, FORMAT, StoreError)
        if not set(about) >= _ABOUT:
            raise KeyError
    except StoreError:
        raise
    except (pyarrow.ArrowException, OSError, KeyError, TypeError, ValueError):
        raise StoreError(f"{folder}: not a folder that featx extract wrote.") from None
    return about


_OK = compute.field("status") == "ok"


def _dataset(folder: str | Path) -> Any:
    return dataset.dataset(part_files(folder), format="parquet")


def _parts(folder: str | Path) -> list[int]:
    names = map(_PART.fullmatch, os.listdir(folder))
    return sorted(int(name[1]) for name in names if name)


def _name(number: int) -> str:
    return f"part-{number:06d}.parquet"


def _frame(folder: str | Path, features: Features, output: str) -> Any:
    if isinstance(features.vectors, list):
        raise StoreError(
            f"{folder}: holds descriptor sets, which are no columns of a data frame. Read them as "
            '"numpy" or "arrow".'
        )
    columns = {
        "path": features.paths,
        "label": features.labels.tolist(),
        **{name: features.vectors[:, index] for index, name in enumerate(features.names)},
    }
    table = pyarrow.table({name: pyarrow.array(values) for name, values in columns.items()})
    if output == "pandas":
        return table.to_pandas()
    import polars

    return polars.from_arrow(table)


class Store:
    """A folder of parts, to which one process writes; each part is there whole or not at all.

    Make one with `open_store`.
    """

    def __init__(self, folder: Path, handle: int) -> None:
        self.folder = folder
        self.parts = _parts(folder)
        #: The columns, once they are known.
        self.schema: Any = None
        #: What the store says of itself.
        self.about: dict[str, Any] = {}
        if self.parts:
            self.about = read_about(folder)
            self.schema = make_schema(self.about)
        self._handle = handle
        # Readers of the folder stumble over whatever is no part: what is unfinished is beside it.
        beside = os.access(folder.parent, os.W_OK) and not os.path.ismount(folder)
        self._unfinished = (folder.parent if beside else folder) / f".{folder.name}.unfinished"

    def read(self, part: int, columns: Sequence[str] | None = None) -> Any:
        """Read a part."""
        try:
            return parquet.ParquetFile(self.folder / _name(part)).read(columns)
        except (pyarrow.ArrowException, OSError) as error:
            raise StoreError(
                f"{self.folder / _name(part)}: damaged ({' '.join(str(error).split())}). Remove "
                "it, and run again: its images will be read again."
            ) from None

    def add(self, table: Any) -> None:
        """Write one more part."""
        number = self.parts[-1] + 1 if self.parts else 0
        self.write(number, table)
        self.parts.append(number)

    def write(self, part: int, table: Any) -> None:
        """Write a part, or another in its place; one without rows is removed."""
        try:
            if table.num_rows == 0:
                os.unlink(_name(part), dir_fd=self._handle)
                self.parts.remove(part)
            else:
                with open(self._unfinished, "wb") as file:
                    parquet.write_table(
                        table,
                        file,
                        compression="lz4",
                        use_dictionary=_REPEATED,
                        use_byte_stream_split=_SPLIT,
                    )
                    file.flush()
                    os.fsync(file.fileno())
                # By the open folder: one that has been removed since is not made again.
                os.rename(self._unfinished, _name(part), dst_dir_fd=self._handle)
            os.fsync(self._handle)
        except OSError as error:
            self.tidy()
            problem = error.strerror or " ".join(str(error).split())
            raise OutputError(
                f"{self.folder / _name(part)}: cannot be written: {problem}. What was written "
                "before is whole: when there is room for more, run the same command again."
            ) from None

    def tidy(self) -> None:
        """Remove what is unfinished."""
        with suppress(OSError):
            self._unfinished.unlink(missing_ok=True)

    def write_ledger(self) -> Path | None:
        """List the refused images and the reasons beside the folder.

        None if there are none, or nothing may be written there; the parts have them all.
        """
        if not os.access(self.folder.parent, os.W_OK):
            return None
        ledger = self.folder.with_name(f"{self.folder.name}.refused.csv")
        count = 0
        # Where parts are written: what a killed process leaves is removed by the next.
        with (
            new_file(ledger, self._unfinished) as unfinished,
            open(unfinished, "w", newline="") as file,
        ):
            # Names may have line ends of every kind, of which not all are quoted otherwise.
            rows = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
            rows.writerow(["path", "reason", "detail"])
            for part in self.parts:
                table = self.read(part, ["path", "reason", "detail"])
                refused = table.filter(compute.is_valid(table["reason"])).to_pylist()
                rows.writerows([as_cell(value) for value in row.values()] for row in refused)
                count += len(refused)
        if count == 0:
            ledger.unlink()
        return ledger if count else None


@contextmanager
def open_store(folder: str | Path, identity: dict[str, Any]) -> Iterator[Store]:
    """Open a store to write to it, or make one; no other process may do so meanwhile.

    Raises
    ------
    OutputError
        If it cannot be written, or holds other files, or another process writes to it.
    StoreError
        If it holds features of another recipe.
    """
    final = Path(os.path.realpath(folder))
    if final.exists() and not (final.is_dir() and (is_store(final) or not os.listdir(final))):
        raise OutputError(
            f"{folder}: it exists already, and is not an empty folder. Remove it, or choose "
            "another name."
        )
    with folders_for(folder, final):
        handle = os.open(final, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"{folder}: another run is writing to it.") from None
            store = Store(final, handle)
            store.tidy()
            if store.parts:
                hint = "Choose another folder"
                check_same(folder, store.about, identity["steps"], hint, hint)
            yield store
        finally:
            os.close(handle)
