"""Feature stores: folders of Parquet files, one row per image, rejected images included."""

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

#: Format of new stores; older formats can be read.
FORMAT = 1
# Required metadata of a store, besides its format.
_ABOUT = {"featx_version", "recipe", "steps", "digest", "names", "dimensions", "sets"}
_PART = re.compile(r"part-(\d{6,})\.parquet")
# Dictionary-encoded columns. Encoding of features would be slow and useless: values rarely repeat.
_REPEATED = ["label", "status", "reason", "detail"]
# Byte stream split makes floating point smaller, and faster to compress.
_SPLIT = ["features.list.element", "features.list.element.list.element"]


class Features(NamedTuple):
    """The features of a store's images, without rejected ones."""

    #: One row per image, float32, (n, d); or a list of descriptor sets.
    vectors: Any
    #: Class of each image, None for images without a class.
    labels: NDArray[Any]
    paths: list[str]
    #: Names of the columns of ``vectors``.
    names: list[str]


def read_features(folder: str | Path, output: str = "numpy") -> Any:
    """Read the features in a folder written by ``featx extract``.

    Rejected images are excluded. The folder is a Parquet data set, which pyarrow, pandas, polars
    and DuckDB can also read directly; they return rejected images, too.

    Parameters
    ----------
    folder : str or Path
        Folder of the store.
    output : {"numpy", "pandas", "polars", "arrow"}, default="numpy"
        Type of the result. ``"numpy"``: `Features`, for scikit-learn; ``"pandas"`` or
        ``"polars"``: a data frame with the columns ``path`` and ``label`` and one column per
        feature; ``"arrow"``: the Arrow table with all columns of the store.

    Returns
    -------
    Features, pandas.DataFrame, polars.DataFrame or pyarrow.Table

    Raises
    ------
    StoreError
        If the folder is not a store, or a data frame is requested for descriptor sets.

    Examples
    --------
    >>> from featx import read_features
    >>> read_features("no-such-folder")
    Traceback (most recent call last):
    featx.core.errors.StoreError: no-such-folder: the folder does not exist.
    """
    outputs = ("numpy", "pandas", "polars", "arrow")
    if output not in outputs:
        raise StoreError(f"output={output!r} is not supported. Use one of {', '.join(outputs)}.")
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
    """Yield the features part by part, with only one part in memory."""
    read_about(folder)
    yield from map(read_part, part_files(folder))


def read_part(file: str) -> Features:
    """Read the features in one file of a store."""
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
    """Read columns of one file of a store, by default all of them.

    Raises
    ------
    StoreError
        If the file cannot be read.
    """
    try:
        return parquet.ParquetFile(file).read(columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise StoreError(f"{file}: damaged ({' '.join(str(error).split())}).") from None


def part_files(folder: str | Path) -> list[str]:
    """Return the files of a store in order."""
    return [str(Path(folder) / _name(number)) for number in _parts(folder)]


def read_refused(folder: str | Path) -> list[RefusedImage]:
    """Return the rejected images of a store with the reasons."""
    read_about(folder)
    table = _dataset(folder).to_table(
        columns=["path", "reason", "detail"], filter=compute.field("status") == "refused"
    )
    return [RefusedImage(*row.values()) for row in table.to_pylist()]


def is_store(folder: str | Path) -> bool:
    """Return whether a folder is a store."""
    return os.path.isdir(folder) and any(map(_PART.fullmatch, os.listdir(folder)))


def read_about(folder: str | Path) -> dict[str, Any]:
    """Read the metadata of a store.

    The metadata are the format, the version of featx, the recipe's name, the steps and their
    digest, and the number, kind and names of the features.

    Raises
    ------
    StoreError
        If the folder is not a store, or has a newer format.
    """
    if not Path(folder).is_dir():
        raise StoreError(f"{folder}: the folder does not exist.")
    parts = _parts(folder)
    if not parts:
        raise StoreError(f"{folder}: {_NOT_A_STORE}")
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
        raise StoreError(f"{folder}: {_NOT_A_STORE}") from None
    return about


_OK = compute.field("status") == "ok"
_NOT_A_STORE = "not a feature store. Pass a folder written by featx extract."


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
            f"{folder}: descriptor sets cannot be read as a data frame. Use "
            "output='numpy' or output='arrow'."
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
    """A store open for writing by one process; parts are written atomically.

    Use `open_store` to create one.
    """

    def __init__(self, folder: Path, handle: int) -> None:
        self.folder = folder
        self.parts = _parts(folder)
        #: The Arrow schema, or None until the first result is added.
        self.schema: Any = None
        #: The metadata of the store.
        self.about: dict[str, Any] = {}
        if self.parts:
            self.about = read_about(folder)
            self.schema = make_schema(self.about)
        self._handle = handle
        # Readers of the folder reject other files: the temporary file is next to the folder.
        beside = os.access(folder.parent, os.W_OK) and not os.path.ismount(folder)
        self._unfinished = (folder.parent if beside else folder) / f".{folder.name}.unfinished"

    def read(self, part: int, columns: Sequence[str] | None = None) -> Any:
        """Read a part."""
        try:
            return parquet.ParquetFile(self.folder / _name(part)).read(columns)
        except (pyarrow.ArrowException, OSError) as error:
            raise StoreError(
                f"{self.folder / _name(part)}: damaged ({' '.join(str(error).split())}). Remove "
                "the file and run again, to compute its images again."
            ) from None

    def add(self, table: Any) -> None:
        """Append a part."""
        number = self.parts[-1] + 1 if self.parts else 0
        self.write(number, table)
        self.parts.append(number)

    def write(self, part: int, table: Any) -> None:
        """Write or replace a part; remove it if the table is empty."""
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
                # Relative to the open folder, so that a removed folder is not created again.
                os.rename(self._unfinished, _name(part), dst_dir_fd=self._handle)
            os.fsync(self._handle)
        except OSError as error:
            self.tidy()
            problem = error.strerror or " ".join(str(error).split())
            raise OutputError(
                f"{self.folder / _name(part)}: cannot be written: {problem}. Earlier parts are "
                "complete. Solve the problem, and run the same command again to resume."
            ) from None

    def tidy(self) -> None:
        """Remove the temporary file."""
        with suppress(OSError):
            self._unfinished.unlink(missing_ok=True)

    def write_ledger(self) -> Path | None:
        """Write the rejected images and the reasons to a CSV file next to the folder.

        Returns None if no image was rejected, or the parent folder is not writable. The parts
        contain the same information.
        """
        if not os.access(self.folder.parent, os.W_OK):
            return None
        ledger = self.folder.with_name(f"{self.folder.name}.refused.csv")
        count = 0
        # Share the temporary file of parts: the next run removes it if this process is killed.
        with (
            new_file(ledger, self._unfinished) as unfinished,
            open(unfinished, "w", newline="") as file,
        ):
            # Paths may contain line breaks, some of which are not quoted by default.
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
    """Open or create a store for writing, locked against other processes.

    Raises
    ------
    OutputError
        If the folder cannot be written, contains other files, or is locked by another process.
    StoreError
        If the store contains features of another recipe.
    """
    final = Path(os.path.realpath(folder))
    if final.exists() and not (final.is_dir() and (is_store(final) or not os.listdir(final))):
        raise OutputError(
            f"{folder}: already exists and is not an empty folder. Remove it, or choose another "
            "name."
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
