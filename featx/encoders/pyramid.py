"""The cells of a spatial pyramid, and the regions into which they divide an image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grids = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Regions:
    """A division of an image's descriptors such that each cell is made of whole regions.

    What is computed of a region thus serves the cells of all grids.

    Attributes
    ----------
    rows : list of slice or ndarray of int
        For each region that has descriptors, which they are.
    cells : list of list of int
        For each cell, grid by grid and row by row, the regions of which it is made.
    """

    rows: Sequence[slice | NDArray[np.intp]]
    cells: list[list[int]]


def divide(positions: NDArray[np.float32], grids: Grids) -> Regions:
    """Divide descriptors by the cells of all grids in which they lie.

    Parameters
    ----------
    positions : ndarray of shape (k, 2)
        Relative rows and columns, in [0, 1]; what lies beyond counts for the border's cells.
    grids : list of (int, int)
        Rows and columns of each grid.
    """
    found = [_cell(positions, rows, columns) for rows, columns in grids]
    # One number for each combination of cells; few of the combinations occur.
    region = np.zeros(len(positions), np.intp)
    for (rows, columns), cell in zip(grids, found, strict=True):
        region = np.unique(region * (rows * columns) + cell, return_inverse=True)[1]
    order = np.argsort(region, kind="stable")
    rows_of = np.split(order, np.flatnonzero(np.diff(region[order])) + 1) if len(order) else []
    cells: list[list[int]] = []
    for (rows, columns), cell in zip(grids, found, strict=True):
        members: list[list[int]] = [[] for _ in range(rows * columns)]
        for index, of_region in enumerate(rows_of):
            members[cell[of_region[0]]].append(index)
        cells += members
    return Regions(rows_of, cells)


def is_whole(grids: Grids) -> bool:
    """Tell whether the image is the one cell."""
    return [tuple(grid) for grid in grids] == [(1, 1)]


def cell_names(grids: Grids) -> list[str]:
    """Name the cells; where the image is the one cell, it needs no name."""
    if is_whole(grids):
        return [""]
    return [
        f"_{rows}x{columns}_{row}_{column}"
        for rows, columns in grids
        for row in range(rows)
        for column in range(columns)
    ]


def _cell(positions: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.intp]:
    counts = np.array([rows, columns])
    places = np.clip((positions * counts).astype(np.intp), 0, counts - 1)
    cell: NDArray[np.intp] = places[:, 0] * columns + places[:, 1]
    return cell
