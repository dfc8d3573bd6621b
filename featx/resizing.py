"""Area averaging, faster than OpenCV where the factor is no whole number.

Each output pixel is the mean of the rectangle of the image that it covers, border pixels counted
by the share that is covered. Rows are summed first, columns only once an output row, for many of
these side by side: both vectorise.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from featx.compiled import compiled


def shrink(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Shrink a uint8 image (height, width, channels) to the size given, by area averaging."""
    out = np.empty((height, width, image.shape[2]), np.uint8)
    _average(np.ascontiguousarray(image).reshape(len(image), -1), out)
    return out


@compiled
def _average(rows: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    height, width, channels = out.shape
    entries = rows.shape[1]
    columns = entries // channels
    down, across = len(rows) / height, columns / width
    lanes = min(height, 64)
    totals = np.empty((lanes, entries), np.float32)
    turned = np.empty((entries, lanes), np.float32)
    rounded = np.empty((width * channels, lanes), np.uint8)
    # A column of the image: its channels, and in each its lanes.
    turned_columns = turned.reshape(columns, channels * lanes)
    rounded_columns = rounded.reshape(width, channels * lanes)
    means = np.empty(channels * lanes, np.float32)
    scale, half = np.float32(1 / (down * across)), np.float32(0.5)
    for first in range(0, height, lanes):
        count = min(lanes, height - first)
        for lane in range(count):
            top = (first + lane) * down
            _sum_between(rows, top, min(top + down, float(len(rows))), totals[lane])
        # The last lanes may have nothing new: they are turned all the same, and not used.
        for entry in range(entries):
            for lane in range(lanes):
                turned[entry, lane] = totals[lane, entry]
        for j in range(width):
            left = j * across
            _sum_between(turned_columns, left, min(left + across, float(columns)), means)
            column = rounded_columns[j]
            for n in range(len(means)):
                # By way of int32: this vectorises, and a direct conversion does not.
                column[n] = np.uint8(np.int32(means[n] * scale + half))
        for lane in range(count):
            row_out = out[first + lane].reshape(-1)
            for entry in range(width * channels):
                row_out[entry] = rounded[entry, lane]


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
