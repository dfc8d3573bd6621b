"""
Padding
=======

A filter requires neighbors on all sides, which border pixels lack. Either the result is smaller
than the image, or the image is padded.
"""

import matplotlib.pyplot as plt
import numpy as np

from featx import Convolve, GaussianBlur

# %%
# Compare four modes, for an average of three pixels on a row of five.
row = np.array([[[5], [1], [1], [1], [9]]], dtype=np.float32)  # (height, width, channels)
for padding in ("valid", "zero", "reflect", "edge"):
    stage = Convolve(kernel=np.full((1, 3), 1 / 3), padding=padding)
    print(f"{padding:8}", stage.fit_transform([row])[0, 0, :, 0].round(2))

# %%
# Padding with zeros causes a dark frame, and edge filters respond to it. Reflecting the image or
# repeating its border pixels avoids the frame.
image = np.full((1, 60, 80, 1), 0.8, dtype=np.float32)
image[:, 20:40, 30:60] = 0.3
figure, axes = plt.subplots(1, 4, figsize=(10, 2.4), layout="constrained")
for padding, axis in zip(("valid", "zero", "reflect", "edge"), axes, strict=True):
    blurred = GaussianBlur(sigma=4, padding=padding).fit_transform(image)[0]
    axis.imshow(blurred, cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"{padding}: {blurred.shape[0]} x {blurred.shape[1]}")
plt.show()
