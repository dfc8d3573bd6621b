"""Steerable filters: responses at any orientation from a small basis."""

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled


@compiled
def steer(
    basis: NDArray[np.float64], weights: NDArray[np.float64], out: NDArray[np.float32]
) -> None:
    """Write sums of ``basis`` (n, pixels) weighted by ``weights`` (n, k) to ``out`` (pixels, k).

    The basis has two or three responses; each case has its own loop, which vectorizes. Each sum
    is rounded to single precision once.
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
