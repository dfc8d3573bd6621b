r"""
Effect of batch norm, dropout and residual connections
======================================================

Deep networks train slowly, or not at all, without additional measures. *Batch norm* normalizes the
outputs of each layer. *Residual* connections let gradients bypass layers. *Dropout* disables random
nodes against overfitting. This example trains a small ResNet with and without each of them.
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
