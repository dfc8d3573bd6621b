r"""
Batch norm, dropout and residuals, on and off
=============================================

A deep network learns slowly, or not at all, without help. *Batch norm* brings each layer's outputs
to one scale; *residual* connections let the gradient pass by; *dropout* switches nodes off at
random, against learning by heart. Here is the same small ResNet with and without each.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from featx import ConvNet

digits = load_digits()
images, labels = digits.images[:600, ..., np.newaxis] / 16, digits.target[:600]

# %%
settings = {
    "all off": {},
    "batch norm": {"batch_norm": True},
    "residual": {"residual": True},
    "both": {"batch_norm": True, "residual": True},
    "both and dropout": {"batch_norm": True, "residual": True, "dropout": 0.2},
}
off = {"batch_norm": False, "residual": False, "dropout": 0.0}
figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
for name, switched_on in settings.items():
    network = ConvNet(
        "resnet-20",
        off | switched_on,
        optimizer="nesterov",
        learning_rate=0.05,
        epochs=6,
        batch_size=32,
        validation_fraction=0.2,
    )
    network.fit(images, labels)
    axis.plot(network.history_["validation_accuracy"], label=name)
axis.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
figure.legend(loc="outside right center")
plt.show()
