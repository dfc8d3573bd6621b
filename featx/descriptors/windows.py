"""Square windows on a regular grid, from which dense descriptors are taken."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError


class Cells(NamedTuple):
    """The cells of windows; those that windows share, once."""

    #: The first row of each row of cells, and the first column of each column, in rising order.
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    #: Which of these each cell of each window is: (windows, cells) along each axis.
    row_slots: NDArray[np.int64]
    column_slots: NDArray[np.int64]
    side: int

    def to_windows(self, found: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Copy what was found in each cell (rows, columns, entries) to all windows that have it.

        ``out`` has the shape (window rows, window columns, cell rows, cell columns, entries).
        """
        _gather(found, self.row_slots, self.column_slots, out)


class Windows(NamedTuple):
    """All windows of one side, row by row."""

    #: The first row of each row of windows, and the first column of each column.
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    side: int

    def centres(self) -> NDArray[np.float32]:
        """Give the row and the column of each window's centre."""
        corners = np.stack(np.meshgrid(self.tops, self.lefts, indexing="ij"), axis=-1)
        return (corners.reshape(-1, 2) + (self.side - 1) / 2).astype(np.float32)

    def cells(self, count: int) -> Cells:
        """Divide each window into as many equal cells along each side."""
        side = self.side // count
        offsets = side * np.arange(count)
        (tops, row_slots), (lefts, column_slots) = (
            np.unique(firsts[:, np.newaxis] + offsets, return_inverse=True)
            for firsts in (self.tops, self.lefts)
        )
        shape = -1, count
        return Cells(tops, lefts, row_slots.reshape(shape), column_slots.reshape(shape), side)


def windows_within(
    shape: tuple[int, ...], sides: Iterable[int], step: int, border: int = 0
) -> list[Windows]:
    """Lay out the windows that touch no pixel of the border; sides that do not fit are left out."""
    return [
        Windows(
            np.arange(border, shape[0] - border - side + 1, step),
            np.arange(border, shape[1] - border - side + 1, step),
            side,
        )
        for side in sides
        if side + 2 * border <= min(shape[:2])
    ]


def describe(
    windows: Sequence[Windows],
    entries: int,
    write: Callable[[Windows, NDArray[np.float32]], None],
    shape: tuple[int, ...],
) -> DescriptorSet:
    """Make one set of the descriptors of windows of several sides, each written to its place.

    ``write`` is given windows of one side, and the array (rows, columns, entries) for them.
    """
    grids = [(len(one.tops), len(one.lefts)) for one in windows]
    counts = [rows * columns for rows, columns in grids]
    values = np.empty((sum(counts), entries), np.float32)
    parts = np.split(values, np.cumsum(counts)[:-1])
    for one, grid, part in zip(windows, grids, parts, strict=True):
        write(one, part.reshape(*grid, entries))
    positions = np.concatenate([one.centres() for one in windows])
    sides = np.array([one.side for one in windows], np.float32)
    return DescriptorSet(values, positions, np.repeat(sides, counts), (shape[0], shape[1]))


@compiled
def _gather(
    found: NDArray[np.float32],
    row_slots: NDArray[np.int64],
    column_slots: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for row in range(out.shape[2]):
                for column in range(out.shape[3]):
                    cell, target = found[row_slots[i, row], column_slots[j, column]], out[i, j]
                    for n in range(len(cell)):
                        target[row, column, n] = cell[n]


def check_cells(stage: Any, sides: Iterable[int], cells: int) -> None:
    """Refuse windows that cannot be divided into equal cells."""
    for side in sides:
        if side % cells:
            raise InputError(
                f"{type(stage).__name__}: patch_sizes are multiples of cells={cells}, so that "
                f"cells are equal, but {side} is not."
            )
