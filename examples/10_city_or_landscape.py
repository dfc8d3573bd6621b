r"""
City or landscape: edges and long lines
=======================================

Vertical edges do not separate cities from landscapes, because grass, leaves and waves have as many
edges as buildings. Only cities have *long* vertical lines. A second filter, a long line, responds
to them when it is applied to the edges. Its mean energy is then a sufficient feature.
"""

import matplotlib.pyplot as plt
import numpy as np

from featx import PatternMatch, Rectify, Sobel, Stream, Summarize, compare, make_scenes

images, labels = make_scenes(n=200, random_state=0)
labels = np.asarray(labels)
gray = [image.mean(axis=2, keepdims=True) / 255 for image in images]

# %%
# Show the steps for one image of each class. They are the vertical edges :math:`E`, the response
# :math:`V` of a line of 31 pixels to these edges, and the mean of :math:`V^2`.
sobel, line = Sobel(axis="vertical"), PatternMatch("line", length=31, orientation=90)
figure, axes = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
for name, row in zip(("city", "landscape"), axes, strict=True):
    chosen = int(np.flatnonzero(labels == name)[2])
    edges = sobel.fit_transform([gray[chosen]])[0]
    lines = line.fit_transform([edges])[0]
    row[0].imshow(images[chosen])
    row[1].imshow(np.abs(edges), cmap="gray", vmax=1.5)
    row[2].imshow(np.abs(lines), cmap="gray", vmax=0.5)
    row[0].set_title(name)
    row[1].set_title(f"edges, mean |E| = {np.abs(edges).mean():.3f}")
    row[2].set_title(f"long lines, mean V² = {np.square(lines).mean():.4f}")
for axis in axes.flat:
    axis.axis("off")
plt.show()

# %%
# Compare the distributions over two hundred images: the classes have similar edges, but different
# lines.
mean_edge = Stream([sobel, Rectify("absolute"), Summarize(["mean"])]).fit_transform(gray)
mean_line = Stream([sobel, line, Summarize(["mean_square"])]).fit_transform(gray)
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for values, name, axis in [
    (mean_edge[:, 0], "mean |E|", axes[0]),
    (np.log10(mean_line[:, 0]), "log of mean V²", axes[1]),
]:
    for which in ("city", "landscape"):
        axis.hist(values[labels == which], np.linspace(*np.quantile(values, [0, 1]), 30), alpha=0.6)
    axis.set_title(name)
axes[0].legend(["city", "landscape"])
plt.show()

# %%
# Compare recipes with a linear classifier by cross-validation on the same folds.
recipes = ["edges-alone", "vertical-lines", "line-energies"]
print(compare(images, y=labels, recipe=recipes))
