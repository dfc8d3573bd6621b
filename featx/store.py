"""The feature store: a folder of Parquet files, one row for every image, refused ones too."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import dataset, parquet

from featx.reading import RefusedImage
from featx.stream import Chunk, Stream
from featx.writing import as_text, new_folder

_ROWS = 16_384  # rows a file, at most
_METADATA = b"featx"


class StoreError(ValueError):
    """Features that cannot be written or read: says which, and what would be right."""


class Features(NamedTuple):
    """The features of the images that were not refused."""

    #: One row an image, float32, (n, d).
    vectors: NDArray[np.float32]
    #: The class of each image; None where it has none.
    labels: NDArray[Any]
    paths: list[str]
    #: What each column of ``vectors`` is.
    names: list[str]


class Written(NamedTuple):
    """What became of the images."""

    images: int
    dimensions: int
    refused: list[RefusedImage]


def read_features(folder: str | Path) -> Features:
    """Read what ``featx extract`` wrote, for scikit-learn.

    The folder is a Parquet data set that pyarrow, pandas, polars and DuckDB open as it stands;
    the images that were refused are in it, with the reasons, and are left out here.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    Features
        ``vectors``, ``labels``, ``paths`` and ``names``.

    Raises
    ------
    StoreError
        If it is no such folder.

    Examples
    --------
    >>> from featx import read_features
    >>> read_features("no-such-folder")
    Traceback (most recent call last):
    featx.store.StoreError: no-such-folder: there is no such folder.
    """
    if not Path(folder).is_dir():
        raise StoreError(f"{folder}: there is no such folder.")
    try:
        table = dataset.dataset(folder, format="parquet").to_table(
            filter=pyarrow.compute.field("status") == "ok"
        )
        written = json.loads(table.schema.metadata[_METADATA])
    except (pyarrow.ArrowException, KeyError, TypeError):
        raise StoreError(f"{folder}: not a folder that featx extract wrote.") from None
    flat = table["features"].combine_chunks().flatten().to_numpy()
    return Features(
        flat.reshape(table.num_rows, -1),
        np.asarray(table["label"].to_pylist(), dtype=object),
        table["path"].to_pylist(),
        written["names"],
    )


def write_features(
    folder: str | Path,
    paths: Sequence[str],
    labels: Sequence[str | None],
    stream: Stream,
    about: dict[str, Any] | None = None,
    progress: Callable[[int, int], object] = lambda done, refused: None,
) -> Written:
    """Compute the features of images and write them, one row for every image.

    Nothing is left behind if it fails: the folder appears when it is complete.

    Parameters
    ----------
    folder : str or Path
        The folder to make; it may exist if it is empty.
    paths : list of str
        The images.
    labels : list of str or None
        Their classes, or None for those that have none.
    stream : Stream
        What computes the features: vectors, of one length for all images.
    about : dict, optional
        What else to note in the files' metadata, for example the recipe's name.
    progress : callable, optional
        Is told how many more images are done, and how many of these were refused.

    Raises
    ------
    StoreError
        If the stream gives no vectors, or of different lengths, or all images are refused.
    OutputError
        If the folder cannot be written.
    """
    with new_folder(folder) as unfinished:
        writer = _Writer(unfinished, stream, about or {})
        start, refused = 0, list[RefusedImage]()
        for chunk in stream.iterate(paths):
            end = start + len(chunk.items)
            writer.add(chunk, labels[start:end])
            refused += chunk.refused.values()
            start = end
            progress(len(chunk.items), len(chunk.refused))
        if len(refused) == start:
            raise StoreError(f"All {start} images are refused. The first: {refused[0]}")
        writer.flush()
    return Written(start, writer.dimensions, refused)


class _Writer:
    """Gathers rows, and writes them to files of bounded size."""

    def __init__(self, folder: Path, stream: Stream, about: dict[str, Any]) -> None:
        self.dimensions = 0
        self._folder, self._stream, self._about = folder, stream, about
        self._schema: pyarrow.Schema = None
        self._waiting: list[tuple[Chunk, Sequence[str | None]]] = []
        self._files = 0

    def add(self, chunk: Chunk, labels: Sequence[str | None]) -> None:
        if chunk.kept:
            (vectors,) = chunk.outputs
            if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
                raise StoreError(
                    "The recipe gives no vectors before it learns. End its image stages with one "
                    "that gives vectors, such as Summarize or HOG."
                )
            if self._schema is None:
                self._begin(chunk)
            if vectors.shape[1] != self.dimensions:
                raise StoreError(
                    f"The recipe gives vectors of different lengths, {self.dimensions} and "
                    f"{vectors.shape[1]} for {chunk.items[chunk.kept[0]]}. Give all images one "
                    "size, for example with ReadImages: {size: [256, 256]}."
                )
        self._waiting.append((chunk, labels))
        rows = sum(len(chunk.items) for chunk, _ in self._waiting)
        if self._schema is not None and rows >= _ROWS:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        batches = [_rows(chunk, labels, self._schema) for chunk, labels in self._waiting]
        table = pyarrow.Table.from_batches(batches, self._schema)
        parquet.write_table(table, self._folder / f"part-{self._files:06d}.parquet")
        self._files += 1
        self._waiting.clear()

    def _begin(self, chunk: Chunk) -> None:
        self.dimensions = chunk.outputs[0].shape[1]
        self._stream.fit([chunk.items[chunk.kept[0]]])
        names = self._stream.get_feature_names_out().tolist()
        vectors = pyarrow.list_(pyarrow.float32(), self.dimensions)
        fields = dict.fromkeys(["path", "label", "status", "reason"], pyarrow.string())
        self._schema = pyarrow.schema(
            {**fields, "features": vectors},
            metadata={_METADATA: json.dumps({**self._about, "names": names})},
        )


def _rows(
    chunk: Chunk, labels: Sequence[str | None], schema: pyarrow.Schema
) -> pyarrow.RecordBatch:
    count, kept = len(chunk.items), chunk.kept
    size = schema.field("features").type.list_size
    vectors = np.zeros((count, size), np.float32)
    if kept:
        vectors[kept] = chunk.outputs[0]
    missing = np.ones(count, bool)
    missing[kept] = False
    features = pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.array(vectors.ravel()), size, mask=pyarrow.array(missing)
    )
    reasons = [chunk.refused[i].reason if i in chunk.refused else None for i in range(count)]
    columns = [
        [as_text(path) for path in chunk.items],
        list(labels),
        ["ok" if reason is None else "refused" for reason in reasons],
        reasons,
    ]
    arrays = [pyarrow.array(column, pyarrow.string()) for column in columns]
    return pyarrow.RecordBatch.from_arrays([*arrays, features], schema=schema)
