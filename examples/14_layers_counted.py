r"""
Parameters of convolutional layers
==================================

A convolutional layer of :math:`n` filters of 5 x 5 pixels has :math:`25 n` weights, independent of
the image size. A dense layer has one weight for each pair of input and output. From 28 x 28 pixels
to :math:`n` maps of 24 x 24 pixels, these are :math:`784 \cdot 576\, n = 451{,}584\, n` weights.
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
            f"{layer.parameters:7,} parameters, {layer.dense:10,} if dense"
        )
    print(f"  total {sum(layer.parameters for layer in counts):,}")
    places = np.arange(len(counts))
    axis.barh(places - 0.2, [layer.parameters for layer in counts], 0.4, label="parameters")
    axis.barh(places + 0.2, [layer.dense for layer in counts], 0.4, label="if dense")
    axis.set_yticks(places, [layer.layer for layer in counts])
    axis.set(xscale="log", title=name)
    axis.invert_yaxis()
axes[0].legend()
plt.show()
