"""Grids of SIFT descriptors, and the compiled loops that compute them.

The formulas are those of `featx.DenseSIFT`. Each grid processes the image once, row by row:
gradients by orientation, 8 values per pixel; then the weighted sum of the rows under the kernel,
at each row of bins. Groups of these sums are transposed, so that the sums at each column of bins
are computed in the same way. Descriptors gather their bins from the result. All loops run over long
contiguous arrays and vectorize; loops over 8 values would not.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial.polynomial import polyfit
from numpy.typing import NDArray

from featx.core.compiled import compiled

#: Rows and columns of spatial bins, number of orientations, and entries of a descriptor.
BINS, ORIENTATIONS = 4, 8
ENTRIES = BINS * BINS * ORIENTATIONS
# Gradient magnitude that rounding of pixels in [0, 1] may cause in constant regions.
ROUNDING = 1e-6
# Rows of sums that are transposed at a time, so that they stay in cache for most images.
_TURNED = 32


def sift_names() -> list[str]:
    """Return the names of the entries of a descriptor."""
    return [
        f"sift_row{row}_column{column}_bin{orientation}"
        for row in range(BINS)
        for column in range(BINS)
        for orientation in range(ORIENTATIONS)
    ]


class Grid:
    """Positions of descriptors of one bin size in an image at one scale."""

    def __init__(
        self, height: int, width: int, image_scale: float, bin_size: int, step: int, window: str
    ) -> None:
        self.given = height, width
        self.shape = max(int(height * image_scale + 0.5), 1), max(int(width * image_scale + 0.5), 1)
        self.bin_size = bin_size
        #: Bin size in pixels of the input image.
        self.scale = bin_size / image_scale
        self.kernels, self.weights = _window(bin_size, window)
        self.rows, self.columns = (
            _axis(length, step, bin_size, len(self.kernels)) for length in self.shape
        )
        self.count = self.rows.slots.shape[1] * self.columns.slots.shape[1]

    def centers(self) -> list[NDArray[np.float64]]:
        """Return the rows and the columns of the centers."""
        middle = self.bin_size * (BINS - 1) / 2
        return [axis.centers[axis.slots[0]] + middle for axis in (self.rows, self.columns)]

    def positions(self) -> NDArray[np.float64]:
        """Return row and column of each center, in pixels of the input image."""
        axes = [
            (centers + 0.5) * (given / length) - 0.5
            for centers, given, length in zip(self.centers(), self.given, self.shape, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)

    def describe(
        self,
        plane: NDArray[np.float32],
        contrast_threshold: float,
        root: bool,
        out: NDArray[np.float32],
        first: int,
    ) -> None:
        """Write the descriptors of one channel to the columns of ``out`` starting at ``first``."""
        rows, columns = self.rows, self.columns
        histograms = _histograms(
            np.ascontiguousarray(plane),
            rows.centers,
            rows.kernels,
            columns.centers,
            columns.kernels,
            self.kernels,
            self.bin_size - 1,
        )
        least = max(contrast_threshold, ROUNDING) * (3 * self.bin_size + 1) ** 2
        _descriptors(
            histograms, rows.slots, columns.slots, self.weights, np.float32(least), root, out, first
        )


class _Axis(NamedTuple):
    """Distinct bins along one axis, in increasing order; shared bins occur once."""

    centers: NDArray[np.int64]
    #: Index of the kernel of each bin.
    kernels: NDArray[np.int64]
    #: Indices of the bins of each descriptor: (4, descriptors).
    slots: NDArray[np.int64]


@lru_cache(maxsize=256)
def _axis(length: int, step: int, bin_size: int, kernels: int) -> _Axis:
    firsts = np.arange(0, length - (BINS - 1) * bin_size, step)
    bins = np.arange(BINS)[:, np.newaxis]
    # Bins with the same kernel and position are merged.
    keys = (firsts + bin_size * bins) * kernels + bins % kernels
    bins_once, slots = np.unique(keys, return_inverse=True)
    return _Axis(bins_once // kernels, bins_once % kernels, slots.reshape(keys.shape))


@lru_cache(maxsize=256)
def _window(bin_size: int, window: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the kernels along an axis, one or one per bin, and the weights of pairs of bins.

    Kernels are zero-padded to a multiple of four.
    """
    z = np.arange(1 - bin_size, bin_size)
    triangle = 1 - np.abs(z) / bin_size
    bins = bin_size * (np.arange(BINS) - (BINS - 1) / 2)
    gaussians = np.exp(-((z + bins[:, np.newaxis]) ** 2) / (2 * (BINS / 2 * bin_size) ** 2))
    if window == "flat":
        kernels, weights = triangle[np.newaxis], gaussians.mean(axis=1)
    else:
        kernels, weights = triangle * gaussians, np.ones(BINS)
    kernels = np.pad(kernels, ((0, 0), (0, -len(z) % 4)))
    return kernels.astype(np.float32), np.outer(weights, weights).astype(np.float32)


def _arctangent() -> tuple[np.float32, ...]:
    """Approximate the arctangent of a ratio up to one, in units of 45 degrees.

    Returns
    -------
    tuple of float
        Coefficients p with arctan(q) = π/4 q (p0 + p1 q² + p2 q⁴ + …), to 1e-7.
    """
    squares = (1 + np.cos(np.pi * (np.arange(10) + 0.5) / 10)) / 2  # Chebyshev nodes
    ratios = np.sqrt(squares)
    series = polyfit(squares, np.arctan(ratios) / ratios * 4 / np.pi, 9)
    return tuple(np.asarray(series, np.float32))


_ARCTANGENT = _arctangent()


@compiled
def _histograms(
    plane: NDArray[np.float32],
    rows: NDArray[np.int64],
    row_kernels: NDArray[np.int64],
    columns: NDArray[np.int64],
    column_kernels: NDArray[np.int64],
    kernels: NDArray[np.float32],
    reach: int,
) -> NDArray[np.float32]:
    """Filter the orientation maps at all pairs of rows and columns of bins.

    An image row has 8 values per pixel. The rows within reach of the kernel are kept.

    Returns
    -------
    ndarray of shape (columns, rows, 8)
    """
    height, width = plane.shape
    taps = kernels.shape[1]
    kept = np.empty((taps, width * ORIENTATIONS), np.float32)
    lengths, places = np.empty((2, width), np.float32), np.empty((2, width), np.int32)
    summed = np.empty(width * ORIENTATIONS, np.float32)
    turned = np.empty((width, _TURNED * ORIENTATIONS), np.float32)
    histograms = np.empty((len(columns), len(rows) * ORIENTATIONS), np.float32)
    reached = np.empty(taps, np.int64)
    known = 0
    for first in range(0, len(rows), _TURNED):
        last = min(first + _TURNED, len(rows))
        for i in range(first, last):
            top = rows[i] - reach
            while known < min(top + taps, height):
                _orientations(plane, known, lengths, places, kept[known % taps])
                known += 1
            for k in range(taps):
                reached[k] = min(max(top + k, 0), height - 1) % taps
            _sum(kept, reached, kernels[row_kernels[i]], summed)
            _turn(summed, i - first, turned)
        for j in range(len(columns)):
            for k in range(taps):
                reached[k] = min(max(columns[j] - reach + k, 0), width - 1)
            part = histograms[j, first * ORIENTATIONS : last * ORIENTATIONS]
            _sum(turned, reached, kernels[column_kernels[j]], part)
    return histograms.reshape(len(columns), len(rows), ORIENTATIONS)


@compiled
def _sum(
    rows: NDArray[np.float32],
    reached: NDArray[np.int64],
    kernel: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Sum the rows under a kernel, weighted by its entries."""
    for k in range(0, len(kernel), 4):
        a, b, c, d = kernel[k], kernel[k + 1], kernel[k + 2], kernel[k + 3]
        first, second = rows[reached[k]], rows[reached[k + 1]]
        third, fourth = rows[reached[k + 2]], rows[reached[k + 3]]
        if k == 0:
            for n in range(len(out)):
                out[n] = (a * first[n] + b * second[n]) + (c * third[n] + d * fourth[n])
        else:
            for n in range(len(out)):
                out[n] += (a * first[n] + b * second[n]) + (c * third[n] + d * fourth[n])


@compiled
def _turn(row: NDArray[np.float32], i: int, turned: NDArray[np.float32]) -> None:
    """Write a row to the i-th position of each column; two float32 are moved as one float64."""
    pairs, columns = row.view(np.float64), turned.view(np.float64)
    size = ORIENTATIONS // 2
    for x in range(len(columns)):
        for n in range(size):
            columns[x, i * size + n] = pairs[x * size + n]


@compiled
def _orientations(
    plane: NDArray[np.float32],
    y: int,
    lengths: NDArray[np.float32],
    places: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Write the gradients of a row by orientation, 8 values per pixel.

    A gradient is interpolated between a multiple of 90 degrees and a diagonal.
    """
    height, width = plane.shape
    row, above, below = plane[y], plane[max(y - 1, 0)], plane[min(y + 1, height - 1)]
    half = np.float32(0.5)
    down = half if 0 < y < height - 1 else np.float32(1)
    across = lengths[0]
    across[0], across[width - 1] = row[1] - row[0], row[width - 1] - row[width - 2]
    for x in range(1, width - 1):
        across[x] = half * (row[x + 1] - row[x - 1])
    for x in range(width):
        gx, gy = across[x], down * (above[x] - below[x])
        wide, high = abs(gx), abs(gy)
        ratio = min(wide, high) / max(wide, high, np.float32(1e-30))
        square = ratio * ratio
        series = np.float32(0)
        for n in range(len(_ARCTANGENT)):
            series = series * square + _ARCTANGENT[len(_ARCTANGENT) - 1 - n]
        share = ratio * series
        length = np.sqrt(gx * gx + gy * gy)
        oblique = length * share
        lengths[0, x], lengths[1, x] = length - oblique, oblique
        straight = (0 if gx > 0 else 4) if wide >= high else (2 if gy > 0 else 6)
        diagonal = (1 if gy > 0 else 7) if gx > 0 else (3 if gy > 0 else 5)
        places[0, x], places[1, x] = x * ORIENTATIONS + straight, x * ORIENTATIONS + diagonal
    out[:] = np.float32(0)
    for x in range(width):
        # Unsigned indices need no check for negative values.
        out[np.uint64(places[0, x])] = lengths[0, x]
        out[np.uint64(places[1, x])] = lengths[1, x]


@compiled
def _descriptors(
    histograms: NDArray[np.float32],
    row_slots: NDArray[np.int64],
    column_slots: NDArray[np.int64],
    weights: NDArray[np.float32],
    least: np.float32,
    root: bool,
    out: NDArray[np.float32],
    first: int,
) -> None:
    """Gather the bins of each descriptor and normalize them."""
    lanes = np.empty(BINS * ORIENTATIONS, np.float32)
    n = 0
    for i in range(row_slots.shape[1]):
        for j in range(column_slots.shape[1]):
            vector = out[n, first : first + ENTRIES]
            for r in range(BINS):
                for c in range(BINS):
                    histogram = histograms[column_slots[c, j], row_slots[r, i]]
                    weight = weights[r, c]
                    start = (r * BINS + c) * ORIENTATIONS
                    part = vector[start : start + ORIENTATIONS]
                    for o in range(ORIENTATIONS):
                        part[o] = histogram[o] * weight
            _normalize(vector, least, root, lanes)
            n += 1


@compiled
def _normalize(
    vector: NDArray[np.float32], least: np.float32, root: bool, lanes: NDArray[np.float32]
) -> None:
    """Normalize, clip and normalize again; sums use 32 lanes, which vectorizes."""
    zero, one = np.float32(0), np.float32(1)
    lanes[:] = zero
    for start in range(0, ENTRIES, len(lanes)):
        part = vector[start : start + len(lanes)]
        for n in range(len(lanes)):
            lanes[n] += part[n]
    if _add_up(lanes) < least:
        vector[:] = zero
        return
    lanes[:] = zero
    for start in range(0, ENTRIES, len(lanes)):
        part = vector[start : start + len(lanes)]
        for n in range(len(lanes)):
            lanes[n] += part[n] * part[n]
    limit = np.float32(0.2) * np.sqrt(_add_up(lanes))
    lanes[:] = zero
    for start in range(0, ENTRIES, len(lanes)):
        part = vector[start : start + len(lanes)]
        for n in range(len(lanes)):
            part[n] = min(part[n], limit)
            lanes[n] += part[n] if root else part[n] * part[n]
    total = _add_up(lanes)
    factor = one / (total if root else np.sqrt(total))
    for n in range(ENTRIES):
        vector[n] = np.sqrt(vector[n] * factor) if root else vector[n] * factor


@compiled
def _add_up(lanes: NDArray[np.float32]) -> Any:
    """Sum the 32 lanes by halves and overwrite them."""
    for n in range(16):
        lanes[n] += lanes[n + 16]
    for n in range(8):
        lanes[n] += lanes[n + 8]
    even = (lanes[0] + lanes[4]) + (lanes[2] + lanes[6])
    return even + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
