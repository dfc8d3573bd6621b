r"""
HOG and SIFT
============

Both describe a place by the directions of its gradients: histograms of them in small cells, each
gradient counting by its length. *HOG* does so over the whole image, *SIFT* around points or at the
places of a grid. Brightness and contrast then matter little, and small shifts as well.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from featx import HOG, SIFT, DenseSIFT, Grayscale

photo = Grayscale().fit_transform([load_sample_image("china.jpg")])[0][:416]

# %%
# HOG, drawn: in each cell a short line for every direction, *along* the edge, as strong as the
# histogram's bin.
cell, bins = 16, 9
hog = HOG(bins, (cell, cell), cells_per_block=(1, 1), block_norm="L2")
histograms = hog.fit_transform([photo])[0].reshape(photo.shape[0] // cell, -1, bins)
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
left.imshow(photo, cmap="gray")
right.imshow(np.zeros(photo.shape[:2]), cmap="gray", vmin=0, vmax=1)
for (row, column, index), weight in np.ndenumerate(histograms):
    if weight > 0.3:
        angle = np.pi * (index + 0.5) / bins + np.pi / 2
        across, down = cell / 2 * np.cos(angle), cell / 2 * np.sin(angle)
        x, y = (column + 0.5) * cell, (row + 0.5) * cell
        right.plot([x - across, x + across], [y - down, y + down], color=str(weight), linewidth=1)
for axis in (left, right):
    axis.axis("off")
plt.show()

# %%
# SIFT finds points that it would find again in a larger or turned picture. Each has 4 x 4
# histograms of eight directions: 128 numbers.
points = SIFT().fit_transform([photo])[0]
figure, axis = plt.subplots(figsize=(8, 5.4), layout="constrained")
axis.imshow(photo, cmap="gray")
axis.scatter(
    points.positions[:, 1],
    points.positions[:, 0],
    points.scales**2,
    facecolors="none",
    edgecolors="yellow",
)
axis.set_title(f"{len(points)} points")
axis.axis("off")
plt.show()

# %%
# Is the description the same in another light? The same place, brighter and with less contrast,
# against other places: the distance of their descriptors.
dense = DenseSIFT(step=16, bin_sizes=[6], root=True)
before, after = dense.fit_transform([photo, 0.5 * photo + 0.3])
there = before.values.any(axis=1) & after.values.any(axis=1)  # the sky has no gradients
before, after = before.values[there], after.values[there]
same = np.linalg.norm(before - after, axis=1)
other = np.linalg.norm(before - np.roll(after, 7, axis=0), axis=1)
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
axis.hist([same, other], 40, label=["same place, other light", "another place"])
axis.set(xlabel="distance", ylabel="descriptors")
axis.legend()
plt.show()
