"""Exponentials of a softmax in single precision."""

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled

Float32 = NDArray[np.float32]


@compiled
def exponentiate(scores: Float32) -> tuple[Float32, Float32]:
    """Replace the scores s of each column by exp(s - max(s)), in place.

    Returns
    -------
    highest, total : ndarray of float32
        Maximum of the scores of each column, and sum of its exponentials.
    """
    rows, columns = scores.shape
    highest, total = scores[0].copy(), np.zeros(columns, np.float32)
    for row in range(1, rows):
        for i in range(columns):
            highest[i] = max(highest[i], scores[row, i])
    for row in range(rows):
        for i in range(columns):
            value = _exp(scores[row, i] - highest[i])
            scores[row, i] = value
            total[i] += value
    return highest, total


@compiled
def _exp(x: np.float32) -> np.float32:
    """Compute exp(x) of x <= 0, accurate to the last one or two bits.

    Uses exp(x) = 2^n exp(r) with an integer n and abs(r) <= ln(2) / 2, and a polynomial for exp(r).
    Unlike the C library's function, this is vectorized. Below -87, 2^n would be subnormal.
    """
    x = max(x, np.float32(-87))
    # Adding 1.5 * 2^23 rounds to an integer, which is then in the lowest bits.
    shifted = x * np.float32(1.4426950408889634) + np.float32(12582912)
    n = shifted - np.float32(12582912)
    # ln(2) is split into two parts, so that n times the first is exact.
    r = x - n * np.float32(0.693359375) - n * np.float32(-2.12194440e-4)
    p = np.float32(1 / 720) * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(0.5)
    p = p * r * r + r + np.float32(1)
    # Adding n to the exponent's bits multiplies by 2^n.
    exponent = np.float32(shifted).view(np.int32) << np.int32(23)
    return np.int32(np.float32(p).view(np.int32) + exponent).view(np.float32)
