"""Area averaging, faster than OpenCV where the factor is no whole number.

Each output pixel is the mean of the rectangle of the image that it covers, border pixels counted
by the share that is covered. Rows are summed first, columns only once an output row, for many of
these side by side: both vectorise.
"""

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
    totals = np.zeros((lanes, entries), np.float32)
    turned, means = np.empty((entries, lanes), np.float32), np.empty(lanes, np.float32)
    rounded = np.empty((width * channels, lanes), np.uint8)
    scale, half = np.float32(1 / (down * across)), np.float32(0.5)
    for first in range(0, height, lanes):
        count = min(lanes, height - first)
        for lane in range(count):
            top, bottom = (first + lane) * down, min((first + lane + 1) * down, float(len(rows)))
            total = totals[lane]
            total[:] = 0
            for y in range(int(top), int(np.ceil(bottom))):
                share = np.float32(min(bottom, y + 1.0) - max(top, float(y)))
                row = rows[y]
                for x in range(entries):
                    total[x] += share * row[x]
        for x in range(entries):
            for lane in range(lanes):
                turned[x, lane] = totals[lane, x]
        for j in range(width):
            left, right = j * across, min((j + 1) * across, float(columns))
            for channel in range(channels):
                means[:] = 0
                for x in range(int(left), int(np.ceil(right))):
                    share = np.float32(min(right, x + 1.0) - max(left, float(x)))
                    entry = turned[x * channels + channel]
                    for lane in range(lanes):
                        means[lane] += share * entry[lane]
                into = rounded[j * channels + channel]
                for lane in range(lanes):
                    # By way of int32: this vectorises, and a direct conversion does not.
                    into[lane] = np.uint8(np.int32(means[lane] * scale + half))
        for lane in range(count):
            row_out = out[first + lane].reshape(-1)
            for entry_out in range(width * channels):
                row_out[entry_out] = rounded[entry_out, lane]
