r"""
Template matching
=================

A filter that equals a pattern has its largest response at the pattern's position. Plain correlation
also responds to bright regions. Normalized cross-correlation is invariant to brightness and
contrast, and is 1 for a perfect match.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from featx import Grayscale, PatternMatch

photo = Grayscale().fit_transform([load_sample_image("china.jpg")])[0]
pattern = photo[180:250, 100:180]  # the corner of a roof

# %%
# Search for the pattern in a copy of the image with less brightness, less contrast and noise.
rng = np.random.default_rng(0)
changed = 0.4 * photo + 0.1 + rng.normal(0, 0.03, photo.shape)
figure, axes = plt.subplots(2, 2, figsize=(9, 5.6), layout="constrained")
axes[0, 0].imshow(pattern, cmap="gray")
axes[0, 0].set_title("the pattern")
axes[0, 1].imshow(changed, cmap="gray", vmin=0, vmax=1)
axes[0, 1].set_title("the image")
for method, axis in zip(("correlation", "ncc"), axes[1], strict=True):
    response = PatternMatch(pattern, method=method).fit_transform([changed])[0, ..., 0]
    row, column = np.unravel_index(response.argmax(), response.shape)
    axis.imshow(response)
    axis.plot(column, row, "o", markersize=14, markerfacecolor="none", markeredgecolor="red")
    axis.set_title(f"{method}: largest, {response.max():.2f}, at row {row}, column {column}")
plt.show()
