r"""
Edge filters: difference, Sobel, and derivative of a Gaussian
=============================================================

An edge is a difference between neighboring pixels. The plain difference is sensitive to noise. The
Sobel filter averages along the edge. A derivative of a Gaussian can have any orientation, and its
width can be adapted to the edges.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from featx import Difference, Grayscale, OrientedEdges, Sobel

photo = Grayscale().fit_transform([load_sample_image("china.jpg")])[0]
figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
pictures = {
    "image": photo,
    "difference": np.abs(Difference().fit_transform([photo])[0]),
    "Sobel, vertical": np.abs(Sobel().fit_transform([photo])[0]),
    "derivative of a Gaussian": np.abs(OrientedEdges([90], sigma=2).fit_transform([photo])[0]),
}
for (name, picture), axis in zip(pictures.items(), axes.flat, strict=True):
    axis.imshow(picture, cmap="gray", vmax=np.quantile(picture, 0.995))
    axis.set_title(name)
    axis.axis("off")
plt.show()

# %%
# The response at any orientation is a weighted sum of the responses to vertical and horizontal
# edges, so eight orientations cost little more than two. In the picture, hue is the orientation of
# the strongest response, and brightness its magnitude.
edges = OrientedEdges(orientations=8, sigma=1.5).fit_transform([photo])[0]
strength = np.abs(edges).max(axis=2)
hue = np.abs(edges).argmax(axis=2) / 8
value = (strength / np.quantile(strength, 0.99)).clip(0, 1)
colors = plt.matplotlib.colors.hsv_to_rgb(np.stack([hue, np.ones_like(hue), value], axis=2))
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4.6), layout="constrained", width_ratios=[5, 1]
)
left.imshow(colors)
left.axis("off")
for index in range(8):
    angle = np.pi * index / 8
    along = np.array([np.cos(angle), -np.sin(angle)])
    right.plot(
        *zip(-along, along, strict=True),
        color=plt.matplotlib.colors.hsv_to_rgb((index / 8, 1, 1)),
        linewidth=4,
    )
right.set(xlim=(-1.1, 1.1), ylim=(1.1, -1.1), aspect="equal", title="orientations")
right.axis("off")
plt.show()
