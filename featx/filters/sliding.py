"""Sliding discrete Fourier transform at chosen frequencies."""

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled


@compiled
def slide(
    signal: NDArray[np.float64],
    size: int,
    hop: int,
    turns: NDArray[np.float64],
    entering: NDArray[np.float64],
    sums: NDArray[np.float64],
    found: NDArray[np.float32],
) -> None:
    """Write the magnitudes under a Hann window to ``found`` (windows, tones).

    ``turns``, ``entering`` and ``sums`` have shape (2, 3 * tones): real and imaginary parts for
    each tone, then for frequencies one cycle per window lower, then one cycle per window higher.
    ``sums`` holds the sums of the first window, without a Hann window, and is overwritten.
    """
    tones = found.shape[1]
    for start in range(len(signal) - size + 1):
        if start % hop == 0:
            # A Hann window is a constant minus two complex exponentials: X[f] - (X[f-1]+X[f+1])/2.
            for k in range(tones):
                real = sums[0, k] - 0.5 * (sums[0, tones + k] + sums[0, 2 * tones + k])
                imag = sums[1, k] - 0.5 * (sums[1, tones + k] + sums[1, 2 * tones + k])
                found[start // hop, k] = np.sqrt(real * real + imag * imag)
        if start + size < len(signal):
            leaves, enters = signal[start], signal[start + size]
            for k in range(3 * tones):
                real, imag = sums[0, k] - leaves, sums[1, k]
                sums[0, k] = turns[0, k] * real - turns[1, k] * imag + enters * entering[0, k]
                sums[1, k] = turns[0, k] * imag + turns[1, k] * real + enters * entering[1, k]
