"""Lookup and update of the rows that earlier runs wrote to a store."""

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

_MOST_WAITING = 1024  # changes collected before they are written


@dataclass(slots=True)
class Row:
    """A row that an earlier run wrote, with its part and its index in the part."""

    part: int
    place: int
    size: int | None
    modified: int | None
    label: str | None
    reason: str | None


class Earlier:
    """Lookup of earlier rows by path, in constant memory.

    Inputs are usually in the order of the rows. At the first input out of order, all remaining rows
    are written to an index on disk.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found = {part: bytearray(0) for part in store.parts}
        self._ahead = chain.from_iterable(map(self._part, [*store.parts]))
        self._index: sqlite3.Connection | None = None

    def close(self) -> None:
        """Delete the index on disk, if it was made."""
        if self._index is not None:
            self._index.close()

    def _part(self, part: int) -> list[tuple[str, Row]]:
        columns = ["path", "size", "modified", "label", "reason"]
        table = self._store.read(part, columns)
        self._found[part] = bytearray(table.num_rows)
        modified = table["modified"].cast(pyarrow.int64())
        table = table.set_column(2, "modified", modified)
        values = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return [(path, Row(part, place, *rest)) for place, (path, *rest) in enumerate(values)]

    def find(self, paths: Sequence[str]) -> list[Row | None]:
        """Return a row, or None, for each path; each row is returned at most once."""
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
        """Yield part, index and path of the rows not found so far and not marked as removed."""
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
    """Write rows to an SQLite table in a temporary file."""
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
    """Buffered changes of rows in existing parts.

    Rows are identified by the indices that they had at the start of the run.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._places: dict[int, NDArray[Any]] = {}
        self._labels: dict[int, dict[int, str | None]] = defaultdict(dict)
        self._dropped: dict[int, set[int]] = defaultdict(set)
        self._removed: dict[int, set[int]] = defaultdict(set)
        self._count = 0

    def relabel(self, part: int, place: int, label: str | None) -> None:
        """Change the label of a row."""
        self._labels[part][place] = label
        self._counted()

    def drop(self, part: int, place: int) -> None:
        """Delete a row."""
        self._dropped[part].add(place)

    def remove(self, part: int, place: int) -> None:
        """Mark a row as removed: its file no longer exists."""
        self._removed[part].add(place)
        self._counted()

    def places(self, part: int, rows: int) -> NDArray[Any]:
        """Return the indices that a part's rows had at the start of the run."""
        return self._places.get(part, np.arange(rows))

    def write(self) -> None:
        """Write the changed parts."""
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
    """Mark rows as removed, and set their features to null."""
    fixed = {"status": "refused", "reason": "removed", "detail": f"{REASONS['removed']}."}
    for name, mark in fixed.items():
        known = zip(table[name].to_pylist(), gone.tolist(), strict=True)
        table = _with(table, name, [mark if removed else old for old, removed in known])
    there = pyarrow.array(np.arange(table.num_rows), mask=gone)
    for index, name in enumerate(table.column_names):
        if name in ("features", "positions", "scales", "height", "width"):
            table = table.set_column(index, table.schema.field(index), table[name].take(there))
    return table
