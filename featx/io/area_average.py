"""Image shrinking by area averaging, faster than OpenCV for non-integer factors.

Each output pixel is the mean of the input rectangle that it covers, with border pixels weighted by
the covered fraction. Rows are summed first, for a block of output rows. The sums are transposed,
and columns are summed in the same way, so that both steps vectorize.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled

# Size of the block of row sums, which must fit into the cache.
_SUMS = 2**18


def shrink(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Shrink a uint8 image (height, width, channels) by area averaging."""
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
        # One row per image column, holding its channels and, within each, its rows.
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
            # The detour through int32 vectorizes; the direct conversion does not.
            mean[n] = np.uint8(np.int32(total[n] * scale + half))


@compiled
def _sum_between(rows: NDArray[Any], start: float, stop: float, total: NDArray[np.float32]) -> None:
    """Sum the rows in [start, stop), the first and the last weighted by the covered fraction."""
    begin, end = int(np.ceil(start)), int(stop)
    first, last = rows[int(start)], rows[min(end, len(rows) - 1)]
    share, last_share = np.float32(begin - start), np.float32(stop - end)
    for x in range(len(total)):
        total[x] = share * first[x] + last_share * last[x]
    fours = begin + (end - begin) // 4 * 4
    for y in range(begin, fours, 4):
        # Unrolled by four, to load and store the totals less often.
        a, b, c, d = rows[y], rows[y + 1], rows[y + 2], rows[y + 3]
        for x in range(len(total)):
            pairs = np.float32(a[x]) + np.float32(b[x]), np.float32(c[x]) + np.float32(d[x])
            total[x] += pairs[0] + pairs[1]
    for y in range(fours, end):
        row = rows[y]
        for x in range(len(total)):
            total[x] += np.float32(row[x])
