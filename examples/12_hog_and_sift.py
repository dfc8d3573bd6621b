r"""
HOG and SIFT
============

Both descriptors are histograms of gradient orientations in small cells, weighted by the gradient
magnitudes. *HOG* covers the whole image, *SIFT* the neighborhood of keypoints or grid points. Both
are robust to brightness, contrast and small shifts.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from featx import HOG, SIFT, DenseSIFT, Grayscale

photo = Grayscale().fit_transform([load_sample_image("china.jpg")])[0][:416]

# %%
# Visualize HOG: each cell has a short line *along* the edge for every orientation, with the
# brightness of the histogram bin.
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
# SIFT detects keypoints that are repeatable under scaling and rotation. Each descriptor has 4 x 4
# histograms of eight orientations, 128 values in total.
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
# Test the invariance to illumination: compare the descriptor distances between the same positions
# at another brightness and contrast with the distances between different positions.
dense = DenseSIFT(step=16, bin_sizes=[6], root=True)
before, after = dense.fit_transform([photo, 0.5 * photo + 0.3])
there = before.values.any(axis=1) & after.values.any(axis=1)  # drop descriptors without gradients
before, after = before.values[there], after.values[there]
same = np.linalg.norm(before - after, axis=1)
other = np.linalg.norm(before - np.roll(after, 7, axis=0), axis=1)
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
axis.hist([same, other], 40, label=["same position, other illumination", "different position"])
axis.set(xlabel="distance", ylabel="descriptors")
axis.legend()
plt.show()
