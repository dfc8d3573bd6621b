"""Square windows on a regular grid, for dense descriptors."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError


class Cells(NamedTuple):
    """Distinct cells of windows; cells shared by several windows occur once."""

    #: First row of each row of cells and first column of each column, in increasing order.
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    #: Index of each cell of each window into these: (windows, cells) along each axis.
    row_slots: NDArray[np.int64]
    column_slots: NDArray[np.int64]
    side: int

    def to_windows(self, found: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Copy the results of each cell (rows, columns, entries) to all windows that share it.

        ``out`` has the shape (window rows, window columns, cell rows, cell columns, entries).
        """
        _gather(found, self.row_slots, self.column_slots, out)


class Windows(NamedTuple):
    """All windows of one side, row by row."""

    #: First row of each row of windows and first column of each column.
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    side: int

    def centers(self) -> NDArray[np.float32]:
        """Return the row and the column of the center of each window."""
        corners = np.stack(np.meshgrid(self.tops, self.lefts, indexing="ij"), axis=-1)
        return (corners.reshape(-1, 2) + (self.side - 1) / 2).astype(np.float32)

    def cells(self, count: int) -> Cells:
        """Divide each window into ``count`` equal cells along each side."""
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
    """Return the windows inside the border for each side; sides that do not fit are skipped."""
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
    """Compute the descriptors of windows of several sides as one set.

    ``write`` receives the windows of one side and the array (rows, columns, entries) to fill.
    """
    grids = [(len(one.tops), len(one.lefts)) for one in windows]
    counts = [rows * columns for rows, columns in grids]
    values = np.empty((sum(counts), entries), np.float32)
    parts = np.split(values, np.cumsum(counts)[:-1])
    for one, grid, part in zip(windows, grids, parts, strict=True):
        write(one, part.reshape(*grid, entries))
    positions = np.concatenate([one.centers() for one in windows])
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
    """Raise `InputError` if a window cannot be divided into equal cells."""
    for side in sides:
        if side % cells:
            raise InputError(
                f"{type(stage).__name__}: patch size {side} is not a multiple of cells={cells}. "
                f"Use multiples of {cells}."
            )
