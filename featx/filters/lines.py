"""Lines as patterns: their kernels, and means of an image along them."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx.core.stage import Image
from featx.filters.blur import uniform_blur
from featx.filters.convolve import correlate, pad, read_only


def line_size(length: int, angle: float) -> tuple[int, int]:
    """Return the height and width of a line's kernel."""
    if angle in (0, 90):
        return (length, 1) if angle == 90 else (1, length)
    height, width = line_kernel(length, angle).shape
    return height, width


@lru_cache
def line_kernel(length: int, angle: float) -> NDArray[np.float32]:
    """Return the antialiased kernel of a line through the center, whose weights sum to one."""
    kernel = _weights(length, angle)
    return read_only(kernel / kernel.sum())


def _weights(length: int, angle: float) -> NDArray[np.float64]:
    """Compute a line's weights before they are normalized."""
    if angle in (0, 90):
        return np.ones(line_size(length, angle))
    radius = length // 2 + 1
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    along, across = x * cosine - y * sine, x * sine + y * cosine
    kernel = np.clip(1 - np.abs(across), 0, 1) * np.clip((length + 1) / 2 - np.abs(along), 0, 1)
    # Crop empty rows and columns symmetrically, so that the center is preserved.
    touched = kernel > 0
    cropped: NDArray[np.float64] = kernel[np.ix_(touched.any(axis=1), touched.any(axis=0))]
    return cropped


def match_line(
    image: Image, length: int, angle: float, padding: str, window: tuple[int, ...]
) -> Image:
    """Average each channel along a line; with "valid", only where ``window`` fits."""
    size = line_size(length, angle)
    if angle in (0, 90):
        response = uniform_blur(image, size, padding)
    else:
        response = correlate(image, line_kernel(length, angle), padding)
    if padding != "valid" or size == window:
        return response
    rows, columns = (
        slice((outer - 1) // 2 - (inner - 1) // 2, extent - (outer // 2 - inner // 2))
        for outer, inner, extent in zip(window, size, response.shape[:2], strict=True)
    )
    return response[rows, columns]


class _Taps(NamedTuple):
    """The weights of lines of several lengths at one angle.

    The weights of a line are those of the next shorter one plus some at its ends. ``ends[n]`` is
    the number of taps, in this order, up to those of the n-th length.
    """

    offsets: NDArray[np.int64]  # (taps, 2): row and column in the window
    weights: NDArray[np.float32]  # (taps,)
    ends: NDArray[np.int64]  # (lengths,)
    scales: NDArray[np.float32]  # (lengths,): one over the sum of a line's weights


@lru_cache
def _taps(lengths: tuple[int, ...], angle: float, window: tuple[int, ...]) -> _Taps:
    """Return the taps of lines of ascending lengths, placed in a window."""
    before = np.zeros(window)
    offsets, weights, ends, scales = [], [], [], []
    for length in lengths:
        line = _weights(length, angle)
        top, left = (
            (outer - 1) // 2 - (inner - 1) // 2
            for outer, inner in zip(window, line.shape, strict=True)
        )
        placed = np.zeros(window)
        placed[top : top + line.shape[0], left : left + line.shape[1]] = line
        added = placed - before
        offsets.append(np.argwhere(added))
        weights.append(added[added != 0])
        ends.append(sum(map(len, weights)))
        scales.append(1 / line.sum())
        before = placed
    return _Taps(
        np.ascontiguousarray(np.concatenate(offsets), np.int64),
        np.concatenate(weights).astype(np.float32),
        np.asarray(ends),
        np.asarray(scales, np.float32),
    )


def match_lines(
    image: Image,
    lines: Sequence[tuple[int, float]],
    lengths: Sequence[int],
    padding: str,
    window: tuple[int, ...],
    out: Image | None = None,
) -> Image:
    """Average channels along lines of several lengths.

    A line of one length shares its sum with all longer ones at its angle.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels)
        The maps.
    lines : list of (channel, angle)
        Channel and angle, in degrees, of each group of responses.
    lengths : list of int
        The lengths of the lines, in pixels, in the order of the responses in a group.
    padding : str
        One of `PADDINGS`.
    window : (int, int)
        A height and width into which each line fits.
    out : ndarray, optional
        The array to write to.

    Returns
    -------
    ndarray of float32, shape (height, width, len(lines) * len(lengths))
        Less ``window - 1`` rows and columns if ``padding`` is "valid".
    """
    # Imported here because it loads numba, which the other filters do not need.
    from featx.filters.line_sums import sum_along_lines

    padded = np.ascontiguousarray(np.moveaxis(pad(image, window, padding), 2, 0))
    order = np.argsort(lengths, kind="stable")
    ascending = tuple(lengths[index] for index in order)
    taps = [_taps(ascending, angle, window) for _, angle in lines]
    if out is None:
        height, width = (d - k + 1 for d, k in zip(padded.shape[1:], window, strict=True))
        out = np.empty((height, width, len(lines) * len(lengths)), np.float32)
    starts = np.cumsum([0, *(len(one.weights) for one in taps)])
    sum_along_lines(
        padded,
        np.array([channel for channel, _ in lines]),
        starts,
        np.concatenate([one.offsets for one in taps]),
        np.concatenate([one.weights for one in taps]),
        np.stack([one.ends for one in taps]),
        np.stack([one.scales for one in taps]),
        order,
        out,
    )
    return out
