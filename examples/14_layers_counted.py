r"""
Convolutional layers, counted
=============================

A layer of :math:`n` filters of 5 x 5 pixels has :math:`25 n` weights, however large the image is.
A dense layer from the same pixels to the same outputs needs a weight for each pair: from
28 x 28 pixels to :math:`n` maps of 24 x 24 that is :math:`784 \cdot 576\, n = 451{,}584\, n`.
"""

import matplotlib.pyplot as plt
import numpy as np

from featx import ConvNet
from featx.explanation.networks import parameter_counts

rng = np.random.default_rng(0)
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
for (name, shape), axis in zip(
    {"lenet-1989": (16, 16, 1), "lenet-5": (28, 28, 1)}.items(), axes, strict=True
):
    network = ConvNet(name, epochs=1).fit(rng.random((20, *shape)), np.arange(20) % 10)
    counts = parameter_counts(network)
    print(name)
    for layer in counts:
        print(
            f"  {layer.layer:12} {layer.kind:20} {layer.shape!s:12} "
            f"{layer.parameters:7,} learned, {layer.dense:10,} if it were dense"
        )
    print(f"  together {sum(layer.parameters for layer in counts):,}")
    places = np.arange(len(counts))
    axis.barh(places - 0.2, [layer.parameters for layer in counts], 0.4, label="learned")
    axis.barh(places + 0.2, [layer.dense for layer in counts], 0.4, label="if it were dense")
    axis.set_yticks(places, [layer.layer for layer in counts])
    axis.set(xscale="log", title=name)
    axis.invert_yaxis()
axes[0].legend()
plt.show()
