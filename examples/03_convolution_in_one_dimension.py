r"""
Convolution in one dimension
============================

A short filter slides along a long signal. At each position, the products of filter and signal
values are summed:

.. math:: [x * w]_i = \sum_{j=1}^{k} x_{i+j-1} \, w_j

For a signal of :math:`d` values and a filter of :math:`k` values, the result has
:math:`d - k + 1` values. The filter is not flipped: this operation is called convolution in neural
networks and correlation in signal processing.
"""

import matplotlib.pyplot as plt
import numpy as np

from featx import Convolve

x = np.array([[0, 1, 2, 3, 2, 1, 0]], dtype=np.float32)  # one signal of seven values
result = Convolve(kernel=[1, 0, -1]).fit_transform(x)
print(result)
np.testing.assert_array_equal(result[0], np.correlate(x[0], [1, 0, -1], mode="valid"))

# %%
# Filters and their results
# -------------------------
#
# The noisy signal has a step, a peak and a wave. Averages smooth it, and differences respond to
# steps. The second difference responds to peaks, and a piece of a wave to waves of its length.
rng = np.random.default_rng(0)
time = np.arange(300)
signal = 1.0 * (time > 60) + np.exp(-(((time - 120) / 3) ** 2))
signal = signal + (time > 170) * np.sin(time / 2) + rng.normal(0, 0.15, time.size)
filters = {
    "average of nine": np.full(9, 1 / 9),
    "difference": np.repeat([-1, 1], 6) / 6,
    "second difference": np.repeat([-1, 2, -1], 5) / 10,
    "piece of a wave": np.sin(np.arange(25) / 2) / 12,
}
figure, axes = plt.subplots(5, 2, figsize=(9, 7), layout="constrained", width_ratios=[1, 4])
axes[0, 0].axis("off")
axes[0, 1].plot(signal, "black", linewidth=0.8)
axes[0, 1].set_title("the signal")
for (name, kernel), (left, right) in zip(filters.items(), axes[1:], strict=True):
    left.stem(kernel, markerfmt=" ", basefmt="gray")
    left.set_title(name)
    stage = Convolve(kernel=kernel, padding="zero")
    right.plot(stage.fit_transform(signal[np.newaxis])[0], linewidth=0.8)
plt.show()
