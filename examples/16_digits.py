r"""
Digit classification with neural networks
=========================================

This example trains a network with one hidden layer and a convolutional network on the digits data
set of scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from featx import ConvNet

digits = load_digits()
images = np.repeat(np.repeat(digits.images / 16, 2, axis=1), 2, axis=2)[..., np.newaxis]
train, test, y_train, y_test = train_test_split(
    images, digits.target, test_size=0.3, random_state=0, stratify=digits.target
)

# %%
networks = {
    "one hidden layer": ConvNet("two-layer", epochs=15, validation_fraction=0.1),
    "LeNet of 1989": ConvNet("lenet-1989", epochs=15, learning_rate=0.005, validation_fraction=0.1),
}
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
for (name, network), axis in zip(networks.items(), axes, strict=True):
    network.fit(train, y_train)
    accuracy = np.mean(network.predict(test) == y_test)
    history = pd.DataFrame(network.history_)
    for column in history.columns[history.columns.str.endswith("loss")]:
        axis.semilogy(history[column], label=column.replace("_", " "))
    axis.set(title=f"{name}: accuracy {accuracy:.1%}", xlabel="epoch")
    axis.legend()
plt.show()

# %%
# Show misclassified digits of the convolutional network, with label and prediction.
predictions = network.predict(test)
errors = np.flatnonzero(predictions != y_test)[:8]
figure, axes = plt.subplots(1, 8, figsize=(9, 1.5), layout="constrained")
for axis in axes:
    axis.axis("off")
for index, axis in zip(errors, axes, strict=False):
    axis.imshow(test[index], cmap="gray_r")
    axis.set_title(f"{y_test[index]}, pred. {predictions[index]}")
plt.show()

# %%
# The activations of the penultimate layer are features for any classifier of scikit-learn.
from sklearn.svm import SVC  # noqa: E402

classifier = SVC().fit(network.transform(train), y_train)
print(f"accuracy of a kernel SVM: {classifier.score(network.transform(test), y_test):.1%}")
