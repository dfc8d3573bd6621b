"""
Color patterns
==============

In a color image, patterns and convolutions have three dimensions: height, width and color. A red
sign is detected by its shape and its colors together.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from featx import PatternMatch
from featx.descriptors.pattern_search import find_pattern, stop_sign

# %%
# Insert a red stop sign, drawn by featx, and a blue one into a photograph.
sign, mask = stop_sign(60)
street = load_sample_image("china.jpg").astype(np.float32) / 255
for shown, column in ((sign, 80), (sign[..., ::-1], 480)):
    place = street[250:310, column : column + 60]
    place += (shown - place) * mask[..., np.newaxis]

# %%
# In the gray image, the responses to both signs are similar. In the color image, only the red sign
# has a strong response.
figure, axes = plt.subplots(1, 3, figsize=(12, 3), layout="constrained")
axes[0].imshow(street)
gray, gray_sign = street.mean(axis=2, keepdims=True), sign.mean(axis=2, keepdims=True)
for image, pattern, name, axis in [
    (gray, gray_sign, "gray", axes[1]),
    (street, sign, "color", axes[2]),
]:
    response = PatternMatch(pattern, method="ncc").fit_transform([image])[0, ..., 0]
    axis.imshow(response, vmin=-1, vmax=1)
    axis.set_title(f"{name}: red {response[250, 80]:.2f}, blue {response[250, 480]:.2f}")
plt.show()

# %%
# Detect the sign at any size: the pattern is matched on an image pyramid, and neighboring
# detections are merged. Half of the sign may be occluded.
street[250:310, 80:105] = (0.2, 0.4, 0.2)
figure, axis = plt.subplots(figsize=(7, 4.6), layout="constrained")
axis.imshow(street)
for hit in find_pattern(street, sign, mask, threshold=0.6):
    corner = (hit.column, hit.row)
    axis.add_patch(plt.Rectangle(corner, hit.width, hit.height, fill=False, color="yellow"))
    axis.text(*corner, f"{hit.strength:.2f}", color="yellow", verticalalignment="bottom")
plt.show()
