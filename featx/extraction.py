"""The features of images to a store: whatever stops a run, the next one goes on where it was."""

import hashlib
import json
import os
import re
import sqlite3
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
from numpy.typing import NDArray

import featx
from featx import workers
from featx.archives import parse
from featx.descriptor_sets import DescriptorSet
from featx.files import PASSING, REASONS, ImageFile, RefusedImage
from featx.graph import Chunk, batched
from featx.recipes import as_steps
from featx.remote import is_url
from featx.store import Store, StoreError, make_schema, open_store
from featx.stream import Stream
from featx.writing import as_text

# A part is written when it has so many rows, or bytes of features, or after so many seconds: what
# a run that is killed has not written is to be done again.
_ROWS = 1024
_BYTES = 2**26
_SECONDS = 30.0
_TOGETHER = 256  # inputs whose state is looked up at a time


class Written(NamedTuple):
    """What became of the images."""

    #: Inputs, and how many of them an earlier run had finished.
    images: int
    earlier: int
    #: Images of earlier runs whose files are there no longer.
    removed: int
    dimensions: int
    #: How many inputs are refused, for each reason.
    refused: Counter[str]
    #: The list of all refused images in the store, if there are any.
    ledger: Path | None
    #: Whether all inputs are done; False if the run was asked to stop.
    complete: bool


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
    """Compute the features of images and write them, one row for every image.

    In a folder that has features of the same stages, images that are finished are not read again;
    those that changed are, by their size or time; those whose files are gone are marked. Images
    of earlier runs that are not among the inputs stay.

    Parameters
    ----------
    folder : str or Path
        The folder to make, or to go on with.
    inputs : iterable of (path, label)
        The images, and their classes, or None for those that have none.
    stream : Stream
        What computes the features: vectors, of one length for all images, or descriptor sets.
    recipe : str
        The recipe's name, to be noted.
    seconds : float
        How long an image may take.
    scheduler : str, optional
        The address of a Dask scheduler; by default, processes on this machine work.
    progress : callable, optional
        Is told how many more images are done, and how many of these were refused.
    stopped : callable, optional
        Is asked now and then whether to stop: what is under way is then finished and written.

    Raises
    ------
    StoreError
        If the stream gives neither vectors of one length nor descriptor sets, or all images are
        refused, or the folder holds other features.
    OutputError
        If the folder cannot be written.
    """
    steps = as_steps(stream.stages)
    digest = hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:16]
    identity = {"recipe": recipe, "steps": steps, "digest": digest, "version": featx.__version__}
    with open_store(folder, identity) as store:
        run = _Run(store, stream, identity, progress, stopped)
        files = run.unfinished(inputs)
        graph, size = stream.graph(), stream.chunk_size
        chunks = workers.run(graph, files, size, stream.n_jobs, seconds, scheduler)
        with closing(chunks):
            for chunk in chunks:
                run.add(chunk)
        return run.end()


@dataclass(slots=True)
class _Row:
    """A row that an earlier run wrote, and where it is."""

    part: int
    place: int
    size: int | None
    modified: int | None
    label: str | None
    reason: str | None


@dataclass(slots=True)
class _Input:
    """An image that is to be computed."""

    path: str
    label: str | None
    #: What is known of it, before it changed.
    row: _Row | None


class _Run:
    """One run: what is done, what is under way, and what is to be written."""

    def __init__(
        self,
        store: Store,
        stream: Stream,
        identity: dict[str, Any],
        progress: Callable[[int, int], object],
        stopped: Callable[[], bool],
    ) -> None:
        self._store, self._stream, self._identity = store, stream, identity
        self._progress, self._stopped = progress, stopped
        self._earlier = _Earlier(store)
        self._revision = _Revision(store)
        self._under_way: deque[_Input] = deque()
        self._rows: list[tuple[_Input, ImageFile, RefusedImage | None, Any]] = []
        self._bytes, self._written = 0, time.monotonic()
        self._images = self._finished = 0
        self._refused: Counter[str] = Counter()
        self._first: RefusedImage | None = None
        self._complete = False

    def unfinished(self, inputs: Iterable[tuple[Any, str | None]]) -> Iterator[ImageFile]:
        """Give the files to be read, and pass over those that are finished."""
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

    def _keep(self, row: _Row, label: str | None) -> None:
        self._finished += 1
        if row.reason is not None:
            self._refused[row.reason] += 1
        if row.label != label:
            self._revision.relabel(row.part, row.place, label)

    def add(self, chunk: Chunk) -> None:
        """Take what was computed, and write a part when there is enough."""
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
            self._rows.append((one, file, refused, result))
        self._progress(len(chunk.items), len(chunk.refused))
        late = time.monotonic() - self._written > _SECONDS
        if len(self._rows) >= _ROWS or self._bytes >= _BYTES or late:
            self._flush()

    def _check(self, file: ImageFile, result: Any) -> None:
        """Check that a result is what all rows of a store must be, and begin one."""
        sets = isinstance(result, DescriptorSet)
        if not sets and result.ndim != 1:
            raise StoreError(
                "The recipe gives no vectors before it learns. End its image stages with one "
                "that gives vectors, such as Summarize or HOG."
            )
        dimensions = result.shape[-1]
        if self._store.schema is None:
            names = [] if sets else self._names(file)
            about = {"dimensions": dimensions, "sets": sets, "names": names}
            self._store.about = {**self._identity, **about}
            self._store.schema = make_schema(self._store.about)
        if dimensions != self._store.about["dimensions"]:
            raise StoreError(
                f"The recipe gives vectors of different lengths, {self._store.about['dimensions']} "
                f"and {dimensions} for {as_text(file)}. Give all images one size, for example with "
                "ReadImages: {size: [256, 256]}."
            )

    def _names(self, file: ImageFile) -> list[str]:
        names: list[str] = self._stream.fit([file]).get_feature_names_out().tolist()
        return names

    @property
    def _sets(self) -> bool:
        return bool(self._store.about["sets"])

    def _flush(self) -> None:
        if self._store.schema is None or not self._rows:
            return
        # What changed is first taken away: were the run to end in between, it would be read again.
        for one, *_ in self._rows:
            if one.row is not None:
                self._revision.drop(one.row.part, one.row.place)
        self._revision.write()
        self._store.add(_table(self._rows, self._store.schema, self._sets))
        self._rows.clear()
        self._bytes, self._written = 0, time.monotonic()

    def end(self) -> Written:
        """Write what is left."""
        if self._store.schema is None and self._first is not None and self._complete:
            raise StoreError(f"All {self._images} images are refused. The first: {self._first}")
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


def _unchanged(row: _Row, file: ImageFile) -> bool:
    """Tell whether a file is as it was when its row was written."""
    return (
        row.size is not None
        and (row.size, row.modified) == (file.size, file.modified)
        and row.reason not in PASSING
    )


def _same(row: _Row, file: ImageFile, refused: RefusedImage) -> bool:
    known = row.reason, row.size, row.modified
    return known == (refused.reason, file.size, file.modified)


def _is_there(path: str) -> bool:
    """Tell whether the file of a row is there; of what is elsewhere, that is not asked."""
    member = parse(path)
    if member is None and is_url(path):
        return True
    path = path if member is None else member[0]
    if os.path.lexists(path):
        return True
    # Names that are no Unicode are kept escaped.
    return os.path.lexists(re.sub(rb"\\x([0-9a-f]{2})", _byte, path.encode()))


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode())


class _Earlier:
    """The rows of earlier runs, to be found by their paths.

    As a rule, inputs come in the order of the rows. Only when one does not, all further rows go
    to an index on the disk, so that memory stays flat.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found = {part: bytearray(0) for part in store.parts}
        self._ahead = chain.from_iterable(map(self._part, [*store.parts]))
        self._index: sqlite3.Connection | None = None

    def _part(self, part: int) -> list[tuple[str, _Row]]:
        columns = ["path", "size", "modified", "label", "reason"]
        table = self._store.read(part, columns)
        self._found[part] = bytearray(table.num_rows)
        modified = table["modified"].cast(pyarrow.int64())
        table = table.set_column(2, "modified", modified)
        values = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return [(path, _Row(part, place, *rest)) for place, (path, *rest) in enumerate(values)]

    def find(self, paths: Sequence[str]) -> list[_Row | None]:
        """Find a row for each path, and none twice."""
        if self._index is None:
            ahead = list(islice(self._ahead, len(paths)))
            if all(known == path for (known, _), path in zip(ahead, paths, strict=False)):
                rows = [row for _, row in ahead]
                for row in rows:
                    self._found[row.part][row.place] = 1
                return [*rows, *[None] * (len(paths) - len(rows))]
            self._index = _make_index(chain(ahead, self._ahead))
        return [self._find(self._index, path) for path in paths]

    def _find(self, index: sqlite3.Connection, path: str) -> _Row | None:
        query = "select part, place, size, modified, label, reason from rows where path = ?"
        for values in index.execute(f"{query} order by part, place", (path,)):
            row = _Row(*values)
            if not self._found[row.part][row.place]:
                self._found[row.part][row.place] = 1
                return row
        return None

    def rest(self, revision: "_Revision") -> Iterator[tuple[int, int, str]]:
        """List part, place and path of the rows that were not found, and are not marked yet."""
        for _ in self._ahead:
            pass
        for part, found in self._found.items():
            if 0 not in found:
                continue
            table = self._store.read(part, ["path", "reason"])
            paths, reasons = (column.to_pylist() for column in table.columns)
            places = revision.places(part, table.num_rows).tolist()
            for place, path, reason in zip(places, paths, reasons, strict=True):
                if not found[place] and reason != "removed":
                    yield part, place, path


def _make_index(rows: Iterable[tuple[str, _Row]]) -> sqlite3.Connection:
    """Put rows into a table that SQLite keeps in a temporary file of its own."""
    index = sqlite3.connect("")
    index.execute("create table rows (path, part, place, size, modified, label, reason)")
    index.executemany(
        "insert into rows values (?, ?, ?, ?, ?, ?, ?)",
        (
            (path, row.part, row.place, row.size, row.modified, row.label, row.reason)
            for path, row in rows
        ),
    )
    index.execute("create index by_path on rows (path)")
    return index


class _Revision:
    """Changes of rows that are in parts already, gathered until they are written.

    Rows are known by the places that they had when the run began.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._places: dict[int, NDArray[Any]] = {}
        self._labels: dict[int, dict[int, str | None]] = defaultdict(dict)
        self._dropped: dict[int, set[int]] = defaultdict(set)
        self._removed: dict[int, set[int]] = defaultdict(set)
        self._count = 0

    def relabel(self, part: int, place: int, label: str | None) -> None:
        """Give a row another label."""
        self._labels[part][place] = label
        self._counted()

    def drop(self, part: int, place: int) -> None:
        """Take a row away."""
        self._dropped[part].add(place)

    def remove(self, part: int, place: int) -> None:
        """Mark a row as that of a file which is there no longer."""
        self._removed[part].add(place)
        self._counted()

    def places(self, part: int, rows: int) -> NDArray[Any]:
        """Give the places that a part's rows had when the run began."""
        return self._places.get(part, np.arange(rows))

    def write(self) -> None:
        """Write the parts that change."""
        for part in sorted({*self._labels, *self._dropped, *self._removed}):
            table = self._store.read(part)
            places = self.places(part, table.num_rows)
            labels, gone = self._labels[part], self._removed[part]
            if labels:
                known = zip(places.tolist(), table["label"].to_pylist(), strict=True)
                table = _with(table, "label", [labels.get(place, old) for place, old in known])
            if gone:
                table = _marked(table, np.isin(places, list(gone)))
            kept = ~np.isin(places, list(self._dropped[part]))
            self._store.write(part, table.filter(pyarrow.array(kept)))
            self._places[part] = places[kept]
        for changes in (self._labels, self._dropped, self._removed):
            changes.clear()
        self._count = 0

    def _counted(self) -> None:
        self._count += 1
        if self._count >= _ROWS:
            self.write()


def _with(table: Any, name: str, values: list[Any]) -> Any:
    index = table.column_names.index(name)
    return table.set_column(index, name, pyarrow.array(values, table.schema.field(name).type))


def _marked(table: Any, gone: NDArray[Any]) -> Any:
    """Mark rows as those of files that are there no longer."""
    fixed = {"status": "refused", "reason": "removed", "detail": f"{REASONS['removed']}."}
    for name, mark in fixed.items():
        known = zip(table[name].to_pylist(), gone.tolist(), strict=True)
        table = _with(table, name, [mark if removed else old for old, removed in known])
    there = pyarrow.array(np.arange(table.num_rows), mask=gone)
    for index, name in enumerate(table.column_names):
        if name in ("features", "positions", "scales", "height", "width"):
            table = table.set_column(index, table.schema.field(index), table[name].take(there))
    return table


def _table(
    rows: list[tuple[_Input, ImageFile, RefusedImage | None, Any]], schema: Any, sets: bool
) -> Any:
    """Give rows as a table."""
    refusals = [refused for _, _, refused, _ in rows]
    modified = pyarrow.array([file.modified for _, file, _, _ in rows], pyarrow.int64())
    columns = {
        "path": [one.path for one, *_ in rows],
        "label": [one.label for one, *_ in rows],
        "status": ["ok" if refused is None else "refused" for refused in refusals],
        "reason": [None if refused is None else refused.reason for refused in refusals],
        "detail": [None if refused is None else as_text(refused.detail) for refused in refusals],
        "size": [file.size for _, file, _, _ in rows],
        "modified": modified.cast(pyarrow.timestamp("ns")),
        "sha256": [file.sha256 for _, file, _, _ in rows],
    }
    results = [result for *_, result in rows]
    columns |= _set_columns(results, schema) if sets else {"features": _vectors(results, schema)}
    return pyarrow.table(columns, schema)


def _vectors(results: list[Any], schema: Any) -> Any:
    size = schema.field("features").type.list_size
    missing = np.array([result is None for result in results])
    vectors = np.zeros((len(results), size), np.float32)
    for index, result in enumerate(results):
        if result is not None:
            vectors[index] = result
    flat = pyarrow.array(vectors.ravel())
    return pyarrow.FixedSizeListArray.from_arrays(flat, size, mask=pyarrow.array(missing))


def _set_columns(results: list[Any], schema: Any) -> dict[str, Any]:
    size = schema.field("features").type.value_type.list_size
    sets = [result or DescriptorSet(np.empty((0, size), np.float32)) for result in results]
    sizes = [found.size or (None, None) for found in sets]
    return {
        "features": _lists([None if result is None else result.values for result in results], size),
        "positions": _lists([found.positions for found in sets], 2),
        "scales": _lists([found.scales for found in sets], None),
        "height": [height for height, _ in sizes],
        "width": [width for _, width in sizes],
    }


def _lists(arrays: list[Any], size: int | None) -> Any:
    """Give arrays of rows as a column of lists; one that is None as null."""
    there = [array for array in arrays if array is not None]
    joined = np.concatenate(there) if there else np.empty((0, size or 1), np.float32)
    values = pyarrow.array(joined.astype(np.float32, copy=False).ravel())
    if size is not None:
        values = pyarrow.FixedSizeListArray.from_arrays(values, size)
    lengths = [0 if array is None else len(array) for array in arrays]
    offsets = pyarrow.array(np.concatenate([[0], np.cumsum(lengths)]), pyarrow.int32())
    missing = pyarrow.array([array is None for array in arrays])
    return pyarrow.ListArray.from_arrays(offsets, values, mask=missing)
