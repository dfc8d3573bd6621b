"""Area averaging, faster than OpenCV where the factor is no whole number.

Each output pixel is the mean of the rectangle of the image that it covers, border pixels counted
by the share that is covered. Rows are summed first, for many output rows; these are turned, so
that columns are summed in the same way: both vectorise.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled

# Sums that are kept between the two, so that they stay in cache.
_SUMS = 2**18


def shrink(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Shrink a uint8 image (height, width, channels) to the size given, by area averaging."""
    rows, columns, channels = image.shape
    down, across = rows / height, columns / width
    flat = np.ascontiguousarray(image).reshape(rows, columns * channels)
    out = np.empty((height, width * channels), np.uint8)
    lanes = min(height, max(_SUMS // flat.shape[1], 16))
    for first in range(0, height, lanes):
        part = out[first : first + lanes]
        sums = np.empty((len(part), columns * channels), np.float32)
        _sum_rows(flat, first, down, sums)
        turned = np.empty((columns * channels, len(part)), np.float32)
        cv2.transpose(sums, turned)
        means = np.empty((width * channels, len(part)), np.uint8)
        # A column of the image: its channels, and in each its rows.
        by_column = turned.reshape(columns, -1), means.reshape(width, -1)
        _average_rows(*by_column, across, np.float32(1 / (down * across)))
        cv2.transpose(means, part)
    return out.reshape(height, width, channels)


@compiled
def _sum_rows(rows: NDArray[np.uint8], first: int, down: float, sums: NDArray[np.float32]) -> None:
    for place in range(len(sums)):
        top = (first + place) * down
        _sum_between(rows, top, min(top + down, float(len(rows))), sums[place])


@compiled
def _average_rows(
    rows: NDArray[np.float32], means: NDArray[np.uint8], down: float, scale: np.float32
) -> None:
    total, half = np.empty(rows.shape[1], np.float32), np.float32(0.5)
    for place in range(len(means)):
        top = place * down
        _sum_between(rows, top, min(top + down, float(len(rows))), total)
        mean = means[place]
        for n in range(len(total)):
            # By way of int32: this vectorises, and a direct conversion does not.
            mean[n] = np.uint8(np.int32(total[n] * scale + half))


@compiled
def _sum_between(rows: NDArray[Any], start: float, stop: float, total: NDArray[np.float32]) -> None:
    """Add up the rows between two places, the first and the last by the share that is between."""
    begin, end = int(np.ceil(start)), int(stop)
    first, last = rows[int(start)], rows[min(end, len(rows) - 1)]
    share, last_share = np.float32(begin - start), np.float32(stop - end)
    for x in range(len(total)):
        total[x] = share * first[x] + last_share * last[x]
    fours = begin + (end - begin) // 4 * 4
    for y in range(begin, fours, 4):
        # Four at a time: the totals are fetched and stored less often.
        a, b, c, d = rows[y], rows[y + 1], rows[y + 2], rows[y + 3]
        for x in range(len(total)):
            pairs = np.float32(a[x]) + np.float32(b[x]), np.float32(c[x]) + np.float32(d[x])
            total[x] += pairs[0] + pairs[1]
    for y in range(fours, end):
        row = rows[y]
        for x in range(len(total)):
            total[x] += np.float32(row[x])
