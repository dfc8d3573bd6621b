r"""
Smoothing in one and two dimensions
===================================

Noise is different at every place, and what we look for is not. An average over neighbours keeps
the second and loses much of the first. Averages with weights that fall off from the centre, a
Gaussian's, leave less of a trace of the window itself.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from featx import GaussianBlur, Grayscale, UniformBlur

# %%
# In one dimension: a time series, say of temperatures.
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
# In two dimensions: a photograph with noise. The wider the window, the less noise, and the less
# detail. A uniform window leaves crossed streaks; a Gaussian does not.
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
# How much noise is left? The variance of an average of :math:`n` independent values is that of
# one divided by :math:`n`; for a Gaussian window, :math:`n` is about :math:`4 \pi \sigma^2`.
noise = rng.normal(0, 1, (1, 500, 500, 1))
print(f"uniform: {UniformBlur(5).fit_transform(noise).var():.4f}, expected {1 / 25:.4f}")
print(f"Gaussian: {GaussianBlur(2).fit_transform(noise).var():.4f}, expected {1 / 16 / np.pi:.4f}")
