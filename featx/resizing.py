"""Area averaging of large images, faster than OpenCV where the factor is no whole number.

Each output pixel is the mean of the rectangle of the image that it covers, border pixels counted
by the share that is covered. Rows are summed first, which vectorises; columns only once an
output row.
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
    columns = rows.shape[1] // channels
    down, across = len(rows) / height, columns / width
    total = np.empty(rows.shape[1], np.float32)
    for i in range(height):
        top, bottom = i * down, min((i + 1) * down, float(len(rows)))
        total[:] = 0
        for y in range(int(top), int(np.ceil(bottom))):
            share = np.float32(min(bottom, y + 1.0) - max(top, float(y)))
            row = rows[y]
            for x in range(len(total)):
                total[x] += share * row[x]
        for j in range(width):
            left, right = j * across, min((j + 1) * across, float(columns))
            for channel in range(channels):
                mean = 0.0
                for x in range(int(left), int(np.ceil(right))):
                    share = np.float32(min(right, x + 1.0) - max(left, float(x)))
                    mean += share * total[x * channels + channel]
                out[i, j, channel] = np.uint8(mean / (down * across) + 0.5)
