"""The rows that earlier runs wrote to a store: found by their paths, and changed."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from featx.io.files import REASONS
from featx.store.store import Store

_MOST_WAITING = 1024  # changes that wait to be written


@dataclass(slots=True)
class Row:
    """A row that an earlier run wrote, and where it is."""

    part: int
    place: int
    size: int | None
    modified: int | None
    label: str | None
    reason: str | None


class Earlier:
    """The rows of earlier runs, to be found by their paths.

    As a rule, inputs come in the order of the rows. Only when one does not, all further rows go
    to an index on the disk, so that memory stays flat.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found = {part: bytearray(0) for part in store.parts}
        self._ahead = chain.from_iterable(map(self._part, [*store.parts]))
        self._index: sqlite3.Connection | None = None

    def _part(self, part: int) -> list[tuple[str, Row]]:
        columns = ["path", "size", "modified", "label", "reason"]
        table = self._store.read(part, columns)
        self._found[part] = bytearray(table.num_rows)
        modified = table["modified"].cast(pyarrow.int64())
        table = table.set_column(2, "modified", modified)
        values = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return [(path, Row(part, place, *rest)) for place, (path, *rest) in enumerate(values)]

    def find(self, paths: Sequence[str]) -> list[Row | None]:
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

    def _find(self, index: sqlite3.Connection, path: str) -> Row | None:
        query = "select part, place, size, modified, label, reason from rows where path = ?"
        for values in index.execute(f"{query} order by part, place", (path,)):
            row = Row(*values)
            if not self._found[row.part][row.place]:
                self._found[row.part][row.place] = 1
                return row
        return None

    def rest(self, revision: "Revision") -> Iterator[tuple[int, int, str]]:
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


def _make_index(rows: Iterable[tuple[str, Row]]) -> sqlite3.Connection:
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


class Revision:
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
        if self._count >= _MOST_WAITING:
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
