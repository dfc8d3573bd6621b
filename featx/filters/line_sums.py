"""Sums along lines of several lengths, in one pass over the maps."""

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled


@compiled
def sum_along_lines(
    maps: NDArray[np.float32],
    channels: NDArray[np.int64],
    starts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    weights: NDArray[np.float32],
    ends: NDArray[np.int64],
    scales: NDArray[np.float32],
    order: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Write the responses row by row: a row of sums, and its maps, stay in the nearest cache."""
    height, width, _ = out.shape
    lengths = len(order)
    sums = np.empty(width, np.float32)
    for y in range(height):
        for line in range(len(channels)):
            channel = maps[channels[line]]
            sums[:] = 0
            tap = starts[line]
            for level in range(lengths):
                end = starts[line] + ends[line, level]
                # Four taps at a time: the sums are read and written less often.
                while tap + 4 <= end:
                    a = channel[y + offsets[tap, 0], offsets[tap, 1] :]
                    b = channel[y + offsets[tap + 1, 0], offsets[tap + 1, 1] :]
                    c = channel[y + offsets[tap + 2, 0], offsets[tap + 2, 1] :]
                    d = channel[y + offsets[tap + 3, 0], offsets[tap + 3, 1] :]
                    wa, wb, wc, wd = (
                        weights[tap],
                        weights[tap + 1],
                        weights[tap + 2],
                        weights[tap + 3],
                    )
                    for x in range(width):
                        sums[x] += (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x])
                    tap += 4
                while tap < end:
                    a = channel[y + offsets[tap, 0], offsets[tap, 1] :]
                    wa = weights[tap]
                    for x in range(width):
                        sums[x] += wa * a[x]
                    tap += 1
                scale = scales[line, level]
                responses = out[y, :, line * lengths + order[level]]
                for x in range(width):
                    responses[x] = scale * sums[x]
