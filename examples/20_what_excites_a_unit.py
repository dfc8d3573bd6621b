r"""
What excites a unit
===================

Climbing the gradient from noise towards an image that a class answers to most, and keeping the
image smooth on the way, draws what the network takes for that class. Occlusion and Grad-CAM show,
for one photograph, where it sees it.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_sample_image

from featx import PretrainedNet
from featx.explanation.activation_maximization import maximize_activation
from featx.explanation.networks import grad_cam, occlusion

network = PretrainedNet()

# %%
# Four of ImageNet's classes.
classes = {130: "flamingo", 985: "daisy", 340: "zebra", 954: "banana"}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.3), layout="constrained")
for (number, name), axis in zip(classes.items(), axes, strict=True):
    axis.imshow(maximize_activation(network, "_fc", number, size=(160, 160)))
    axis.set_title(name)
    axis.axis("off")
plt.show()

# %%
# A photograph of a flower: what speaks for "daisy"?
photo = load_sample_image("flower.jpg")[40:400:2, 140:500:2] / 255
maps = {
    "hidden squares": occlusion(network, photo, 985, side=40, step=20),
    "Grad-CAM": grad_cam(network, photo, 985),
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(photo)
for (name, heat), axis in zip(maps.items(), axes[1:], strict=True):
    axis.imshow(photo.mean(axis=2), cmap="gray")
    axis.imshow(heat, cmap="magma", alpha=0.6)
    axis.set_title(name)
for axis in axes:
    axis.axis("off")
plt.show()
