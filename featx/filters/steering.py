"""Responses at any orientation as weighted sums of a few."""

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled


@compiled
def steer(
    basis: NDArray[np.float64], weights: NDArray[np.float64], out: NDArray[np.float32]
) -> None:
    """Write the sums of ``basis`` (n, pixels) under ``weights`` (n, k) to ``out`` (pixels, k).

    There are two or three summands, each case with a loop of its own, which vectorises. Sums are
    rounded once, at the end.
    """
    count, angles = weights.shape
    for pixel in range(basis.shape[1]):
        responses = out[pixel]
        a, b = basis[0, pixel], basis[1, pixel]
        if count == 2:
            for k in range(angles):
                responses[k] = a * weights[0, k] + b * weights[1, k]
        else:
            c = basis[2, pixel]
            for k in range(angles):
                responses[k] = a * weights[0, k] + b * weights[1, k] + c * weights[2, k]
