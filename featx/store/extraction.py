"""Resumable extraction of features from images into a store."""

import hashlib
import json
import os
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow

from featx.core.batches import batched
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import RefusedImage, StoreError
from featx.io.archives import parse
from featx.io.files import PASSING, ImageFile
from featx.io.formats import stamp
from featx.io.remote import is_url
from featx.io.writing import as_text
from featx.pipeline import workers
from featx.pipeline.graph import Chunk, Graph
from featx.pipeline.stream import Stream
from featx.store.columns import make_schema, set_columns, vector_column
from featx.store.identity import as_steps
from featx.store.resume import Earlier, Revision, Row
from featx.store.store import FORMAT, Store, open_store

# A part is written once one of these limits on its rows, bytes of features or age is reached. If a
# run is killed, the next one repeats only images that were not written.
_ROWS = 1024
_BYTES = 2**26
_SECONDS = 30.0
_TOGETHER = 256  # inputs that are looked up in the store at a time


class Written(NamedTuple):
    """Summary of a run."""

    #: Number of inputs, and number of those that an earlier run had finished.
    images: int
    earlier: int
    #: Number of images of earlier runs whose files no longer exist.
    removed: int
    dimensions: int
    #: Number of rejected inputs by reason.
    refused: Counter[str]
    #: File that lists all rejected images in the store, or None if all were accepted.
    ledger: Path | None
    #: Whether all inputs were processed; False if the run was stopped.
    complete: bool


@dataclass(eq=False, slots=True)
class ArrayImage(ImageFile):
    """An image in memory, with its name in the store."""

    pixels: Any = None

    def look(self) -> None:
        """Do nothing, since the image has no file."""


def write_features(
    folder: str | Path,
    inputs: Iterable[tuple[Any, str | None]],
    stream: Stream,
    recipe: str = "",
    seconds: float = 60.0,
    scheduler: str | None = None,
    progress: Callable[[int, int], object] = lambda done, refused: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Written:
    """Compute the features of images and write them to a store, one row per image.

    If the store exists and was written by the same stages, extraction is resumed: finished images
    are skipped. Images whose file size or modification time changed are computed again. Images
    whose files no longer exist are marked as removed. Other images that are not among the inputs
    are kept.

    Parameters
    ----------
    folder : str or Path
        Folder of the store to create or to resume.
    inputs : iterable of (path, label)
        Images and their classes, None for images without a class. Images are paths, or `ArrayImage`
        for images in memory, which are computed in threads, and again in each run.
    stream : Stream
        Stream that computes the features: vectors of equal length, or descriptor sets.
    recipe : str
        Name of the recipe, stored as metadata.
    seconds : float
        Time limit per image in seconds.
    scheduler : str, optional
        Address of a Dask scheduler; its workers run the stream. By default, local processes do.
    progress : callable, optional
        Called with the number of images done since the last call, and with the number of those
        that were rejected.
    stopped : callable, optional
        Called repeatedly; if it returns true, the run finishes and writes the images in progress,
        and stops.

    Raises
    ------
    StoreError
        If the features are neither vectors of equal length nor descriptor sets, if all images are
        rejected, or if the folder holds features of other stages.
    OutputError
        If the folder cannot be written.
    """
    steps = as_steps(stream.stages)
    digest = hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:16]
    identity = {**stamp(FORMAT), "recipe": recipe, "steps": steps, "digest": digest}
    with open_store(folder, identity) as store, closing(Earlier(store)) as earlier:
        run = _Run(store, earlier, stream, identity, progress, stopped)
        files: Iterator[ImageFile] = run.unfinished(inputs)
        graph, size = stream.graph(), stream.chunk_size
        first = next(files, None)
        files = files if first is None else chain([first], files)
        if isinstance(first, ArrayImage):
            chunks = _run_arrays(graph, files, size, stream.n_jobs)
        else:
            chunks = workers.run(graph, files, size, stream.n_jobs, seconds, scheduler)
        with closing(chunks):
            for chunk in chunks:
                run.add(chunk)
        return run.end()


def _run_arrays(
    graph: Graph, files: Iterable[ImageFile], chunk_size: int, n_jobs: int | None
) -> Generator[Chunk, None, None]:
    """Run images in memory through the graph, in threads, since no decoder can crash."""
    waiting: deque[ImageFile] = deque()

    def arrays() -> Iterator[Any]:
        for file in files:
            waiting.append(file)
            yield _content(file)

    with closing(graph.run(arrays(), chunk_size, n_jobs)) as chunks:
        for chunk in chunks:
            chunk.items = [waiting.popleft() for _ in chunk.items]
            chunk.refused = {
                index: RefusedImage(chunk.items[index], one.reason, one.detail)
                for index, one in chunk.refused.items()
            }
            yield chunk


def _content(file: ImageFile) -> Any:
    return file.pixels if isinstance(file, ArrayImage) else file


@dataclass(slots=True)
class _Input:
    """An image to be computed."""

    path: str
    label: str | None
    #: Row of an earlier run, if the image changed or is retried.
    row: Row | None


@dataclass(slots=True)
class _Pending:
    """An image that is computed or rejected, but not yet written."""

    input: _Input
    file: ImageFile
    refused: RefusedImage | None
    features: Any

    def cells(self) -> dict[str, Any]:
        """Return the row of the table without the features."""
        file, refused = self.file, self.refused
        return {
            "path": self.input.path,
            "label": self.input.label,
            "status": "ok" if refused is None else "refused",
            "reason": None if refused is None else refused.reason,
            "detail": None if refused is None else as_text(refused.detail),
            "size": file.size,
            "modified": file.modified,
            "sha256": file.sha256,
        }


class _Run:
    """State of one run: images that are finished, in progress, and waiting to be written."""

    def __init__(
        self,
        store: Store,
        earlier: Earlier,
        stream: Stream,
        identity: dict[str, Any],
        progress: Callable[[int, int], object],
        stopped: Callable[[], bool],
    ) -> None:
        self._store, self._earlier = store, earlier
        self._stream, self._identity = stream, identity
        self._progress, self._stopped = progress, stopped
        self._revision = Revision(store)
        self._under_way: deque[_Input] = deque()
        self._rows: list[_Pending] = []
        self._bytes, self._written = 0, time.monotonic()
        self._images = self._finished = 0
        self._refused: Counter[str] = Counter()
        self._first: RefusedImage | None = None
        self._complete = False

    def unfinished(self, inputs: Iterable[tuple[Any, str | None]]) -> Iterator[ImageFile]:
        """Yield the files to be read, skipping those that are finished."""
        for batch in batched(inputs, _TOGETHER):
            files = [_as_file(path) for path, _ in batch]
            paths = [as_text(file) for file in files]
            rows = self._earlier.find(paths)
            kept = refused = 0
            for file, path, row, (_, label) in zip(files, paths, rows, batch, strict=True):
                if self._stopped():
                    return
                self._images += 1
                if row is not None and file.size is None:
                    file.look()
                if row is not None and _unchanged(row, file):
                    self._keep(row, label)
                    kept += 1
                    refused += row.reason is not None
                else:
                    self._under_way.append(_Input(path, label, row))
                    file.hold()
                    yield file
            if kept:
                self._progress(kept, refused)
        self._complete = True

    def _keep(self, row: Row, label: str | None) -> None:
        self._finished += 1
        if row.reason is not None:
            self._refused[row.reason] += 1
        if row.label != label:
            self._revision.relabel(row.part, row.place, label)

    def add(self, chunk: Chunk) -> None:
        """Add the results of a chunk, and write a part when a limit is reached."""
        results = iter(chunk.outputs[0])
        for index, file in enumerate(chunk.items):
            one, refused = self._under_way.popleft(), chunk.refused.get(index)
            result = None
            if refused is not None:
                self._refused[refused.reason] += 1
                self._first = self._first or refused
            else:
                result = next(results)
                self._check(file, result)
                self._bytes += result.values.nbytes if self._sets else result.nbytes
            if refused is not None and one.row is not None and _same(one.row, file, refused):
                if one.row.label != one.label:
                    self._revision.relabel(one.row.part, one.row.place, one.label)
                continue
            self._rows.append(_Pending(one, file, refused, result))
        self._progress(len(chunk.items), len(chunk.refused))
        late = time.monotonic() - self._written > _SECONDS
        if len(self._rows) >= _ROWS or self._bytes >= _BYTES or late:
            self._flush()

    def _check(self, file: ImageFile, result: Any) -> None:
        """Check that a result matches the store's schema; set the schema by the first result."""
        sets = isinstance(result, DescriptorSet)
        if not sets and result.ndim != 1:
            raise StoreError(
                "The stateless stages of the recipe do not return vectors. End its image stages "
                "with a stage that does, such as Summarize or HOG."
            )
        dimensions = result.shape[-1]
        if self._store.schema is None:
            names = [] if sets else self._names(file)
            about = {"dimensions": dimensions, "sets": sets, "names": names}
            self._store.about = {**self._identity, **about}
            self._store.schema = make_schema(self._store.about)
        if dimensions != self._store.about["dimensions"]:
            raise StoreError(
                f"{as_text(file)}: the vector has length {dimensions}, but earlier vectors have "
                f"length {self._store.about['dimensions']}. Resize all images to one size, for "
                "example with ReadImages: {size: [256, 256]}."
            )

    def _names(self, file: ImageFile) -> list[str]:
        names: list[str] = self._stream.fit([_content(file)]).get_feature_names_out().tolist()
        return names

    @property
    def _sets(self) -> bool:
        return bool(self._store.about["sets"])

    def _flush(self) -> None:
        if self._store.schema is None or not self._rows:
            return
        # Delete outdated rows first: if the run is killed in between, their images are read again.
        for row in (one.input.row for one in self._rows):
            if row is not None:
                self._revision.drop(row.part, row.place)
        self._revision.write()
        self._store.add(_table(self._rows, self._store.schema, self._sets))
        self._rows.clear()
        self._bytes, self._written = 0, time.monotonic()

    def end(self) -> Written:
        """Write the remaining rows, and return the summary."""
        if self._store.schema is None and self._first is not None and self._complete:
            raise StoreError(f"All {self._images} images were rejected. The first: {self._first}")
        self._flush()
        removed = 0
        if self._complete:
            for part, place, path in self._earlier.rest(self._revision):
                if not _is_there(path):
                    self._revision.remove(part, place)
                    removed += 1
        self._revision.write()
        dimensions = self._store.about.get("dimensions", 0)
        return Written(
            self._images,
            self._finished,
            removed,
            dimensions,
            self._refused,
            self._store.write_ledger() if self._store.parts else None,
            self._complete,
        )


def _as_file(path: Any) -> ImageFile:
    return path if isinstance(path, ImageFile) else ImageFile(os.fspath(path))


def _unchanged(row: Row, file: ImageFile) -> bool:
    """Return whether a file is unchanged since its row was written, and need not be retried."""
    return (
        row.size is not None
        and (row.size, row.modified) == (file.size, file.modified)
        and row.reason not in PASSING
    )


def _same(row: Row, file: ImageFile, refused: RefusedImage) -> bool:
    known = row.reason, row.size, row.modified
    return known == (refused.reason, file.size, file.modified)


def _is_there(path: str) -> bool:
    """Return whether the file of a row exists; URLs are assumed to exist."""
    member = parse(path)
    if member is None and is_url(path):
        return True
    path = path if member is None else member[0]
    if os.path.lexists(path):
        return True
    # Undecodable bytes of names are stored as escapes.
    return os.path.lexists(re.sub(rb"\\x([0-9a-f]{2})", _byte, path.encode()))


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode())


def _table(rows: list[_Pending], schema: Any, sets: bool) -> Any:
    """Return rows as a table."""
    cells = [one.cells() for one in rows]
    columns: dict[str, Any] = {name: [row[name] for row in cells] for name in cells[0]}
    modified = pyarrow.array(columns["modified"], pyarrow.int64())
    columns["modified"] = modified.cast(pyarrow.timestamp("ns"))
    features = [one.features for one in rows]
    if sets:
        columns |= set_columns(features, schema)
    else:
        columns["features"] = vector_column(features, schema)
    return pyarrow.table(columns, schema)
