"""Cells of a spatial pyramid, and their partition of an image into regions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grids = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Regions:
    """Partition of an image's descriptors into regions, so that each cell is a union of regions.

    The statistics of a region are computed once and shared by the cells of all grids.

    Attributes
    ----------
    rows : list of slice or ndarray of int
        Indices of the descriptors in each nonempty region.
    cells : list of list of int
        Indices of the regions in each cell, grid by grid and row by row.
    """

    rows: Sequence[slice | NDArray[np.intp]]
    cells: list[list[int]]


def divide(positions: NDArray[np.float32], grids: Grids) -> Regions:
    """Partition descriptors by the cells of all grids.

    Parameters
    ----------
    positions : ndarray of shape (k, 2)
        Relative rows and columns in [0, 1]. Positions outside belong to the border cells.
    grids : list of (int, int)
        Rows and columns of each grid.
    """
    found = [_cell(positions, rows, columns) for rows, columns in grids]
    # Number the combinations of cells, one cell per grid, that occur.
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
    """Return whether the whole image is the only cell."""
    return [tuple(grid) for grid in grids] == [(1, 1)]


def cell_names(grids: Grids) -> list[str]:
    """Return the names of the cells; an only cell has an empty name."""
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
