r"""
Simple cells of the visual cortex as Gabor functions
====================================================

Simple cells of the primary visual cortex respond to edges and bars of one orientation and one size
at one position of the retina. A *Gabor function*, a wave under a Gaussian window, models their
receptive field. A complex cell responds independently of the phase. Its model is the root of the
sum of squares of two simple cells a quarter of a wave apart.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from featx import GaborBank, Grayscale

# %%
# The kernels are the flipped responses of the bank to a single bright pixel.
impulse = np.zeros((1, 65, 65, 1), dtype=np.float32)
impulse[0, 32, 32] = 1
bank = GaborBank(frequencies=[0.2, 0.1, 0.05], orientations=6, response="even")
kernels = bank.fit_transform(impulse)[0, ::-1, ::-1]
figure, axes = plt.subplots(3, 6, figsize=(8, 4.2), layout="constrained")
for kernel, axis in zip(np.moveaxis(kernels, 2, 0), axes.flat, strict=True):
    axis.imshow(kernel, cmap="gray", vmin=-np.abs(kernel).max(), vmax=np.abs(kernel).max())
    axis.axis("off")
plt.show()

# %%
# Move a grating across the receptive field: the responses of simple cells oscillate, while the
# response of the complex cell is constant.
x = np.arange(128)
shifts = np.linspace(0, 20, 60)
gratings = np.stack(
    [np.tile(0.5 + 0.5 * np.cos(2 * np.pi * (x - s) / 10), (64, 1)) for s in shifts]
)[..., np.newaxis]
figure, axis = plt.subplots(figsize=(8, 2.6), layout="constrained")
for response, name in [("even", "simple, even"), ("odd", "simple, odd"), ("energy", "complex")]:
    cell = GaborBank(frequencies=[0.1], orientations=[90], response=response)
    axis.plot(shifts, cell.fit_transform(gratings)[:, 32, 64, 0], label=name)
axis.set(xlabel="shift in pixels", ylabel="response")
axis.legend()
plt.show()

# %%
# Compute the responses of complex cells of four orientations to a photograph.
photo = Grayscale().fit_transform([load_sample_image("china.jpg")])[0]
cells = GaborBank(frequencies=[0.1], orientations=4, response="energy").fit([photo])
figure, axes = plt.subplots(1, 4, figsize=(12, 2.4), layout="constrained")
for energy, name, axis in zip(
    np.moveaxis(cells.transform([photo])[0], 2, 0), cells.get_feature_names_out(), axes, strict=True
):
    axis.imshow(energy, cmap="gray", vmax=np.quantile(energy, 0.995))
    axis.set_title(name)
    axis.axis("off")
plt.show()
