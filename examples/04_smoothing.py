r"""
Smoothing in one and two dimensions
===================================

Noise varies from pixel to pixel, while the signal is similar in a neighborhood. A local average
therefore reduces the noise and keeps most of the signal. Gaussian weights, which decrease from the
center, cause fewer artifacts than a uniform window.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from featx import GaussianBlur, Grayscale, UniformBlur

# %%
# The signal in one dimension is a time series of temperatures.
rng = np.random.default_rng(0)
day = np.arange(365)
series = 10 - 9 * np.cos(2 * np.pi * day / 365) + rng.normal(0, 3, day.size)
smooth = {
    "uniform, 15 days": UniformBlur(size=[15]),
    "Gaussian, sigma 5 days": GaussianBlur(sigma=[5]),
}
figure, axis = plt.subplots(figsize=(9, 3), layout="constrained")
axis.plot(series, "0.75", label="measured")
for name, stage in smooth.items():
    axis.plot(stage.fit_transform(series[np.newaxis])[0], label=name)
axis.legend()
plt.show()

# %%
# The signal in two dimensions is a photograph with noise. A wider window leaves less noise and
# less detail. A uniform window causes horizontal and vertical streaks; a Gaussian does not.
photo = load_sample_image("flower.jpg")[100:350, 150:450] / 255
noisy = Grayscale().fit_transform([photo])[0] + rng.normal(0, 0.15, (*photo.shape[:2], 1))
stages = {
    "uniform, 5 pixels": UniformBlur(5),
    "uniform, 15 pixels": UniformBlur(15),
    "Gaussian, sigma 1.4": GaussianBlur(1.4),
    "Gaussian, sigma 4.3": GaussianBlur(4.3),
}
figure, axes = plt.subplots(1, 5, figsize=(12, 2.4), layout="constrained")
axes[0].imshow(noisy, cmap="gray", vmin=0, vmax=1)
axes[0].set_title("noisy")
for (name, stage), axis in zip(stages.items(), axes[1:], strict=True):
    axis.imshow(stage.fit_transform([noisy])[0], cmap="gray", vmin=0, vmax=1)
    axis.set_title(name)
for axis in axes:
    axis.axis("off")
plt.show()

# %%
# An average of :math:`n` independent values has :math:`1 / n` of their variance. For a Gaussian
# window, the effective :math:`n` is about :math:`4 \pi \sigma^2`.
noise = rng.normal(0, 1, (1, 500, 500, 1))
print(f"uniform: {UniformBlur(5).fit_transform(noise).var():.4f}, expected {1 / 25:.4f}")
print(f"Gaussian: {GaussianBlur(2).fit_transform(noise).var():.4f}, expected {1 / 16 / np.pi:.4f}")
