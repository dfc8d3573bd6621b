"""Local binary patterns: comparisons of a pixel with points around it.

A pattern has one bit per point. Histograms count patterns by bin. A bin is a single pattern, or a
class of patterns: all rotations of one another, or patterns by their transitions on the circle.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.stage import Pixels

METHODS = ("default", "ror", "uniform", "nri_uniform")
#: Methods with about one bin per pattern, which limits the number of points.
FEW_POINTS = ("default", "ror")


class Points(NamedTuple):
    """Sampling points around a pixel, padded to groups of four with zero bits."""

    #: Row and column offsets of points at whole pixels, and their bits.
    whole: NDArray[np.int64]
    whole_bits: NDArray[Any]
    #: Row offsets of points between pixels, their indices into ``columns``, and their bits.
    rows: NDArray[np.float64]
    column_of: NDArray[np.int64]
    bits: NDArray[Any]
    columns: NDArray[np.float64]
    #: Width of the border in which points would leave the image.
    margin: int


@lru_cache(maxsize=32)
def circle(points: int, radius: float) -> Points:
    """Return points on a circle, counter-clockwise from the right, as in scikit-image."""
    angles = 2 * np.pi * np.arange(points) / points
    single = float(np.float32(radius))  # as in scikit-image
    return _points(
        np.round(-single * np.sin(angles), 5),
        np.round(single * np.cos(angles), 5),
        2 ** np.arange(points),
        int(np.ceil(radius)),
    )


@lru_cache(maxsize=1)
def square() -> Points:
    """Return the eight neighbors of a pixel, row by row, starting with the highest bit."""
    rows, columns = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]).T
    return _points(rows, columns, 2 ** np.arange(8)[::-1], 1)


def _points(
    rows: NDArray[Any], columns: NDArray[Any], bits: NDArray[np.int64], margin: int
) -> Points:
    smallest = np.min_scalar_type(int(bits.sum()))
    whole = (rows % 1 == 0) & (columns % 1 == 0)

    def fours(values: NDArray[Any]) -> NDArray[Any]:
        return np.append(values, np.zeros(-len(values) % 4, values.dtype))

    different, column_of = np.unique(columns[~whole], return_inverse=True)
    return Points(
        np.stack([fours(rows[whole]), fours(columns[whole])]).astype(np.int64),
        fours(bits[whole]).astype(smallest),
        fours(rows[~whole]).astype(np.float64),
        fours(column_of),
        fours(bits[~whole]).astype(smallest),
        different.astype(np.float64),
        margin,
    )


def grey_levels(plane: Pixels) -> tuple[NDArray[np.float32], float]:
    """Return the gray levels of a plane and the level of white.

    Pixels of 8 bits, scaled or not, become integers; other pixels are unchanged. Equal 8-bit
    pixels then stay equal after interpolation, and means are exact.
    """
    levels = np.empty(plane.shape, np.float32)
    return levels, _to_levels(np.ascontiguousarray(plane), levels)


def binary_patterns(
    levels: NDArray[np.float32], points: Points, threshold: float = 0.0
) -> NDArray[Any]:
    r"""Compute the pattern of each pixel whose points are all inside the image.

    The bit of a point is 1 if :math:`x_p \ge x_c + t`. Here :math:`x_p` is the bilinearly
    interpolated value of the point, :math:`x_c` the value of the pixel and :math:`t` the threshold.

    Parameters
    ----------
    levels : ndarray of shape (height, width)
        Pixels, preferably from `grey_levels`.
    points : Points
        A `circle`, or the `square`.
    threshold : float, default=0
        Threshold in units of the pixels.

    Returns
    -------
    ndarray of uint8, uint16 or uint32, (height - 2 margin, width - 2 margin)
        For a circle and threshold 0, the interior of `skimage.feature.local_binary_pattern` with
        ``method="default"``. The interpolation reproduces its arithmetic, since the last bit
        decides the comparison in constant regions.
    """
    height, width = levels.shape
    patterns = np.zeros((height - 2 * points.margin, width - 2 * points.margin), points.bits.dtype)
    _patterns(levels, points, threshold, patterns)
    return patterns


@lru_cache(maxsize=8)
def pattern_bins(points: int, method: str) -> tuple[NDArray[Any], int]:
    """Return the bin of each of the 2^points patterns, and the number of bins."""
    count = 2**points
    if method == "default":
        return np.arange(count, dtype=np.min_scalar_type(count - 1)), count
    if method == "ror":
        rotated = least = np.arange(count)
        for _ in range(points - 1):
            rotated = rotated >> 1 | (rotated & 1) << points - 1
            least = np.minimum(least, rotated)
        different, bins = np.unique(least, return_inverse=True)
        return bins.astype(np.uint16), len(different)
    turns = method == "nri_uniform"
    last = points * (points - 1) + 1 if turns else points
    bins = np.full(count, last + 1, np.uint16)
    bins[0], bins[-1] = 0, last
    # The other uniform patterns have one run of ones, at any start position.
    for ones in range(1, points):
        for start in range(points):
            run = (2**ones - 1) << start
            pattern = run % count | run >> points
            bins[pattern] = 1 + (ones - 1) * points + -start % points if turns else ones
    return bins, last + 2


def borders(length: int, count: int) -> list[int]:
    """Return the boundaries of cells along an axis, which are equal up to rounding."""
    return [cell * length // count for cell in range(count + 1)]


def boxes_between(rows: Sequence[int], columns: Sequence[int]) -> NDArray[np.int64]:
    """Return the boxes (top, bottom, left, right) between consecutive boundaries, row by row."""
    sides = product(pairwise(rows), pairwise(columns))
    return np.array([(*down, *across) for down, across in sides], np.int64).reshape(-1, 4)


def histograms(
    patterns: NDArray[Any], bins: NDArray[Any], count: int, boxes: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Count patterns by bin in each box; its bottom row and right column are exclusive."""
    counted = np.empty((len(boxes), count), np.float32)
    _count(patterns, bins, boxes, counted)
    return counted


def pattern_histograms(
    plane: Pixels,
    points: Points,
    threshold: float | None,
    bins: NDArray[Any],
    count: int,
    boxes: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Compute histograms of binary, or of upper and lower ternary patterns of a plane.

    Combine `grey_levels`, `binary_patterns` and `histograms` in one compiled call. Separate calls
    would make threads wait for each other.

    Returns
    -------
    ndarray of shape (1 or 2, boxes, count)
    """
    plane = np.ascontiguousarray(plane)
    height, width = plane.shape[0] - 2 * points.margin, plane.shape[1] - 2 * points.margin
    patterns = np.empty((height, width), points.bits.dtype)
    counted = np.empty((1 if threshold is None else 2, len(boxes), count), np.float32)
    _describe(plane, points, threshold or 0.0, bins, boxes, patterns, counted)
    return counted


@compiled
def _describe(
    plane: NDArray[Any],
    points: Points,
    threshold: float,
    bins: NDArray[Any],
    boxes: NDArray[np.int64],
    patterns: NDArray[Any],
    counted: NDArray[np.float32],
) -> None:
    levels = np.empty(plane.shape, np.float32)
    threshold *= _to_levels(plane, levels)
    for half in range(len(counted)):
        if half == 1:
            levels[:] = -levels
        patterns[:] = 0
        _patterns(levels, points, threshold, patterns)
        _count(patterns, bins, boxes, counted[half])


@compiled
def _to_levels(plane: NDArray[Any], levels: NDArray[np.float32]) -> float:
    """Write the gray levels, as integers for 8-bit pixels; return the level of white."""
    pixels, out = plane.ravel(), levels.ravel()
    whole = plane.itemsize == 1  # uint8
    most = np.float32(255)
    same = True
    if not whole:
        for n in range(len(pixels)):
            level = np.rint(pixels[n] * most)
            same &= (level / most == pixels[n]) & (level >= 0) & (level <= most)
            out[n] = level
    if whole or not same:
        for n in range(len(pixels)):
            out[n] = pixels[n]
    return 255.0 if same else 1.0


# Offsets into flat arrays are unsigned below: numba does not vectorize loops over indices that may
# be negative. Slices would vectorize too, but cost more than the rows they select.


@compiled
def _patterns(
    levels: NDArray[np.float32],
    points: Points,
    threshold: float,
    patterns: NDArray[Any],
) -> None:
    """Compute patterns row by row; points in the same column share their interpolated rows."""
    whole, whole_bits, rows, column_of, bits, columns, margin = points
    width, wide = levels.shape[1], patterns.shape[1]
    pixels, out, across = levels.ravel(), patterns.ravel(), np.uint64(wide)
    right = _right_shares(columns, margin, wide)
    # Ring buffer of interpolated rows; the newest replaces the oldest. The index is updated without
    # a modulo, which is slow.
    height = 2 * margin + 1
    between = np.empty(len(columns) * height * wide)
    least = np.empty(wide)
    above, below, at = np.empty(4, np.uint64), np.empty(4, np.uint64), np.empty(4, np.uint64)
    shares, tops, bottoms = np.empty(4), np.floor(rows), np.ceil(rows)
    place = -1
    for newest in range(len(levels)):
        place = place + 1 if place + 1 < height else 0
        for column in range(len(columns)):
            left = np.uint64(newest * width + margin + int(np.floor(columns[column])))
            weights, to = np.uint64(column * wide), np.uint64((column * height + place) * wide)
            _interpolate(pixels, left, right, weights, between, to, across)
        y = newest - margin
        if y < margin:
            continue
        center, target = np.uint64(y * width + margin), np.uint64((y - margin) * wide)
        for first in range(0, len(whole_bits), 4):
            for k in range(4):
                row, column = y + whole[0, first + k], margin + whole[1, first + k]
                at[k] = np.uint64(row * width + column)
            _compare_pixels(
                pixels, center, np.float32(threshold), at, whole_bits, first, out, target, across
            )
        for x in range(across):
            least[x] = pixels[center + x] + threshold
        for first in range(0, len(bits), 4):
            for k in range(4):
                n = first + k
                shares[k] = (y + rows[n]) - (y + tops[n])
                up, down = place - margin + int(tops[n]), place - margin + int(bottoms[n])
                up, down = up + height if up < 0 else up, down + height if down < 0 else down
                above[k] = np.uint64((column_of[n] * height + up) * wide)
                below[k] = np.uint64((column_of[n] * height + down) * wide)
            _compare_between(between, above, below, shares, least, bits, first, out, target, across)


@compiled
def _right_shares(columns: NDArray[np.float64], margin: int, wide: int) -> NDArray[np.float64]:
    """Compute the weights of the right neighbor for each column offset and each pixel."""
    right = np.empty(len(columns) * wide)
    for column in range(len(columns)):
        for x in range(wide):
            # Add to the position first, to reproduce the rounding of scikit-image's weights.
            position = x + margin + columns[column]
            right[column * wide + x] = position - np.floor(position)
    return right


@compiled
def _interpolate(
    pixels: NDArray[np.float32],
    left: np.uint64,
    right: NDArray[np.float64],
    weights: np.uint64,
    between: NDArray[np.float64],
    place: np.uint64,
    across: np.uint64,
) -> None:
    """Interpolate a row of pixels horizontally."""
    after = left + np.uint64(1)
    for x in range(across):
        share = right[weights + x]
        first, second = np.float64(pixels[left + x]), np.float64(pixels[after + x])
        between[place + x] = (1 - share) * first + share * second


@compiled
def _compare_pixels(
    pixels: NDArray[np.float32],
    center: np.uint64,
    threshold: np.float32,
    at: NDArray[np.uint64],
    bits: NDArray[Any],
    first: int,
    out: NDArray[Any],
    target: np.uint64,
    across: np.uint64,
) -> None:
    """Set the bits of four points at whole pixels together, since loading dominates the time."""
    at0, at1, at2, at3 = at[0], at[1], at[2], at[3]
    bit0, bit1, bit2, bit3 = bits[first], bits[first + 1], bits[first + 2], bits[first + 3]
    none = bit0 ^ bit0
    for x in range(across):
        least = pixels[center + x] + threshold
        out[target + x] |= (
            (bit0 if pixels[at0 + x] >= least else none)
            | (bit1 if pixels[at1 + x] >= least else none)
            | (bit2 if pixels[at2 + x] >= least else none)
            | (bit3 if pixels[at3 + x] >= least else none)
        )


@compiled
def _compare_between(
    rows: NDArray[np.float64],
    above: NDArray[np.uint64],
    below: NDArray[np.uint64],
    shares: NDArray[np.float64],
    least: NDArray[np.float64],
    bits: NDArray[Any],
    first: int,
    out: NDArray[Any],
    target: np.uint64,
    across: np.uint64,
) -> None:
    """Set the bits of four points, interpolated between two rows."""
    a0, a1, a2, a3 = above[0], above[1], above[2], above[3]
    b0, b1, b2, b3 = below[0], below[1], below[2], below[3]
    s0, s1, s2, s3 = shares[0], shares[1], shares[2], shares[3]
    r0, r1, r2, r3 = 1 - s0, 1 - s1, 1 - s2, 1 - s3
    bit0, bit1, bit2, bit3 = bits[first], bits[first + 1], bits[first + 2], bits[first + 3]
    none = bit0 ^ bit0
    for x in range(across):
        level = least[x]
        out[target + x] |= (
            (bit0 if r0 * rows[a0 + x] + s0 * rows[b0 + x] >= level else none)
            | (bit1 if r1 * rows[a1 + x] + s1 * rows[b1 + x] >= level else none)
            | (bit2 if r2 * rows[a2 + x] + s2 * rows[b2 + x] >= level else none)
            | (bit3 if r3 * rows[a3 + x] + s3 * rows[b3 + x] >= level else none)
        )


# In large boxes, counting patterns before summing them into bins saves a lookup per pixel.
_FEW_PATTERNS, _MANY_PIXELS = 2**8, 2**12


@compiled
def _count(
    patterns: NDArray[Any],
    bins: NDArray[Any],
    boxes: NDArray[np.int64],
    counted: NDArray[np.float32],
) -> None:
    # Equal patterns are often adjacent. Four alternating counters avoid store-to-load stalls.
    by_bin = np.empty((4, counted.shape[1]), np.int32)
    by_pattern = np.empty((4, min(len(bins), _FEW_PATTERNS)), np.int32)
    for box in range(len(boxes)):
        top, bottom, left, right = boxes[box]
        inside = patterns[top:bottom, left:right]
        if len(bins) <= _FEW_PATTERNS and inside.size >= _MANY_PIXELS:
            _count_patterns(inside, by_pattern)
            by_bin[:] = 0
            for pattern in range(len(bins)):
                by_bin[0, bins[pattern]] += _sum_of_four(by_pattern, pattern)
        else:
            _count_bins(inside, bins, by_bin)
        for b in range(counted.shape[1]):
            counted[box, b] = _sum_of_four(by_bin, b)


@compiled
def _sum_of_four(counts: NDArray[np.int32], column: int) -> Any:
    return counts[0, column] + counts[1, column] + counts[2, column] + counts[3, column]


@compiled
def _count_patterns(patterns: NDArray[Any], counts: NDArray[np.int32]) -> None:
    counts[:] = 0
    for y in range(len(patterns)):
        row = patterns[y]
        fours = len(row) // 4 * 4
        for x in range(0, fours, 4):
            for k in range(4):
                counts[k, row[x + k]] += 1
        for x in range(fours, len(row)):
            counts[0, row[x]] += 1


@compiled
def _count_bins(patterns: NDArray[Any], bins: NDArray[Any], counts: NDArray[np.int32]) -> None:
    counts[:] = 0
    for y in range(len(patterns)):
        row = patterns[y]
        fours = len(row) // 4 * 4
        for x in range(0, fours, 4):
            for k in range(4):
                counts[k, bins[row[x + k]]] += 1
        for x in range(fours, len(row)):
            counts[0, bins[row[x]]] += 1
