"""HOG cells of the deformable part models (UoCTTI), with signed and unsigned orientations."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled

#: Number of texture features, one per block, independent of the number of orientations.
TEXTURES = 4


def uoctti_cells(
    image: NDArray[np.float32], orientations: int, pixels_per_cell: tuple[int, int]
) -> NDArray[np.float32]:
    r"""Compute the UoCTTI variant of HOG for every cell of an image.

    The gradient at a pixel inside the border is
    :math:`g = (x_{i,j+1} - x_{i,j-1},\ x_{i+1,j} - x_{i-1,j})`. Of several channels, the gradient
    of largest magnitude is used, the first one on ties. It is assigned to the nearest of the
    :math:`2n` directions :math:`180° k / n`, clockwise from the right. Its magnitude is distributed
    bilinearly among the four nearest cells. Let :math:`d_k` be the sum of a cell for a direction,
    and :math:`u_k = d_k + d_{k+n}` that for an orientation. The norm
    :math:`N_b^2 = 10^{-4} + \sum u_k^2` is computed over the 2 × 2 cells of each of the four blocks
    that contain the cell; the outermost cells are repeated beyond the border. The features are

    .. math::
        \tfrac12 \sum_b \min(d_k / N_b, 0.2), \quad
        \tfrac12 \sum_b \min(u_k / N_b, 0.2), \quad
        \tfrac1{\sqrt{18}} \sum_k \min(u_k / N_b, 0.2)

    for the :math:`2n` directions, the :math:`n` orientations and the four blocks: upper left, upper
    right, lower left, lower right.

    Returns
    -------
    ndarray of shape (rows, columns, 3 * orientations + 4)
        At least half of each of the last cells is inside the image.
    """
    height, width = pixels_per_cell
    rows, columns = count_cells(image.shape[:2], pixels_per_cell)
    histograms = np.zeros((rows, columns, 2 * orientations), np.float32)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    _add_gradients(planes, _directions(orientations), height, width, histograms)
    cells = np.empty((rows, columns, 3 * orientations + TEXTURES), np.float32)
    _normalise(histograms, cells)
    return cells


def count_cells(shape: tuple[int, ...], pixels_per_cell: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of cells that are at least half inside the image."""
    rows, columns = (
        (length + cell // 2) // cell for length, cell in zip(shape, pixels_per_cell, strict=True)
    )
    return rows, columns


def uoctti_names(orientations: int) -> list[str]:
    """Return the names of the features of a cell."""
    blocks = ("upper_left", "upper_right", "lower_left", "lower_right")
    return [
        *(f"direction{k}" for k in range(2 * orientations)),
        *(f"orientation{k}" for k in range(orientations)),
        *(f"texture_{block}" for block in blocks),
    ]


@lru_cache(maxsize=32)
def _directions(orientations: int) -> NDArray[np.float32]:
    """Return unit vectors (right, down) of the directions below 180 degrees.

    In single precision, a vertical gradient is equally far from 80 and 100 degrees.
    """
    angles = np.pi * np.arange(orientations) / orientations
    return np.array([np.cos(angles), np.sin(angles)], np.float32)


@compiled
def _add_gradients(
    planes: NDArray[np.float32],
    directions: NDArray[np.float32],
    cell_height: int,
    cell_width: int,
    histograms: NDArray[np.float32],
) -> None:
    """Distribute the magnitudes of all gradients among directions and cells."""
    channels, height, width = planes.shape
    rows, columns, bins = histograms.shape
    inside = max(width - 2, 0)
    right, down = np.empty(inside, np.float32), np.empty(inside, np.float32)
    lengths, nearest = np.empty(inside, np.float32), np.empty(inside, np.int32)
    # One row of cells, plus one cell at each end that collects values beyond the border.
    line = np.empty((columns + 2) * bins, np.float32)
    first = np.empty(inside, np.int64)
    share = np.empty(inside, np.float32)
    for x in range(inside):
        place = (x + 1.5) / cell_width + 0.5
        first[x] = int(place) * bins
        share[x] = place - int(place)
    for y in range(1, height - 1):
        for x in range(inside):
            lengths[x] = 0
            right[x] = 0
            down[x] = 0
        for c in range(channels):
            _keep_longer(planes[c, y - 1], planes[c, y], planes[c, y + 1], right, down, lengths)
        _find_nearest(right, down, directions, nearest)
        line[:] = 0
        for x in range(inside):
            length = np.sqrt(lengths[x])
            at = first[x] + nearest[x]
            beyond = length * share[x]
            line[at] += length - beyond
            line[at + bins] += beyond
        place = (y + 0.5) / cell_height + 0.5
        above = int(place) - 1
        weight = np.float32(place - int(place))
        part = line[bins : (columns + 1) * bins]
        if above >= 0:
            _add(histograms[above].ravel(), part, np.float32(1) - weight)
        if above < rows - 1:
            _add(histograms[above + 1].ravel(), part, weight)


@compiled
def _keep_longer(
    above: NDArray[np.float32],
    here: NDArray[np.float32],
    below: NDArray[np.float32],
    right: NDArray[np.float32],
    down: NDArray[np.float32],
    squares: NDArray[np.float32],
) -> None:
    """Replace gradients by those of another channel with larger magnitude."""
    for x in range(len(right)):
        dx, dy = here[x + 2] - here[x], below[x + 1] - above[x + 1]
        square = dx * dx + dy * dy
        longer = square > squares[x]
        right[x] = dx if longer else right[x]
        down[x] = dy if longer else down[x]
        squares[x] = square if longer else squares[x]


@compiled
def _find_nearest(
    right: NDArray[np.float32],
    down: NDArray[np.float32],
    directions: NDArray[np.float32],
    nearest: NDArray[np.int32],
) -> None:
    """Write the index of the direction nearest to each gradient, the first one on ties."""
    orientations = directions.shape[1]
    best = np.zeros(len(right), np.float32)
    nearest[:] = 0
    for k in range(orientations):
        across, along = directions[0, k], directions[1, k]
        ahead, behind = np.int32(k), np.int32(k + orientations)
        for x in range(len(right)):
            product = right[x] * across + down[x] * along
            size = abs(product)
            nearer = size > best[x]
            nearest[x] = (behind if product < 0 else ahead) if nearer else nearest[x]
            best[x] = size if nearer else best[x]


@compiled
def _add(sums: NDArray[np.float32], values: NDArray[np.float32], weight: np.float32) -> None:
    for n in range(len(values)):
        sums[n] += weight * values[n]


@compiled
def _normalise(histograms: NDArray[np.float32], cells: NDArray[np.float32]) -> None:
    """Compute the features of each cell."""
    rows, columns, bins = histograms.shape
    n = bins // 2
    squares = np.zeros((rows, columns), np.float32)
    for i in range(rows):
        for j in range(columns):
            for k in range(n):
                both = histograms[i, j, k] + histograms[i, j, k + n]
                squares[i, j] += both * both
    limit, half, texture = np.float32(0.2), np.float32(0.5), np.float32(1 / np.sqrt(18))
    factors = np.empty(4, np.float32)
    for i in range(rows):
        above, below = max(i - 1, 0), min(i + 1, rows - 1)
        for j in range(columns):
            left, right = max(j - 1, 0), min(j + 1, columns - 1)
            at = 0
            for y in (above, below):
                for x in (left, right):
                    size = squares[i, j] + squares[i, x] + squares[y, j] + squares[y, x]
                    factors[at] = 1 / np.sqrt(size + np.float32(1e-4))
                    at += 1
            cell, out = histograms[i, j], cells[i, j]
            out[:] = 0
            for b in range(4):
                factor, total = factors[b], np.float32(0)
                for k in range(bins):
                    out[k] += half * min(factor * cell[k], limit)
                for k in range(n):
                    value = min(factor * (cell[k] + cell[k + n]), limit)
                    out[bins + k] += half * value
                    total += value
                out[bins + n + b] = texture * total
