r"""
Activation maximization, occlusion and Grad-CAM
===============================================

Activation maximization starts from noise and ascends the gradient of a class score, with smoothing.
The result is an image that the network assigns to the class. Occlusion and Grad-CAM show which
regions of a photograph contribute to the score.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_sample_image

from featx import PretrainedNet
from featx.explanation.activation_maximization import maximize_activation
from featx.explanation.networks import grad_cam, occlusion

network = PretrainedNet()

# %%
# Maximize the scores of four classes of ImageNet.
classes = {130: "flamingo", 985: "daisy", 340: "zebra", 954: "banana"}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.3), layout="constrained")
for (number, name), axis in zip(classes.items(), axes, strict=True):
    axis.imshow(maximize_activation(network, "_fc", number, size=(160, 160)))
    axis.set_title(name)
    axis.axis("off")
plt.show()

# %%
# Compute the contributions of the regions of a photograph to the class "daisy".
photo = load_sample_image("flower.jpg")[40:400:2, 140:500:2] / 255
maps = {
    "occlusion": occlusion(network, photo, 985, side=40, step=20),
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
