r"""
Back-propagation by hand
========================

A network is a chain of matrix products and simple functions. Back-propagation applies the chain
rule from back to front. It computes the gradient of the loss with respect to every weight, for
about twice the cost of the loss itself.
"""

import matplotlib.pyplot as plt
import numpy as np

from featx import FeedForwardNetwork

# %%
# The network has two inputs, three hidden nodes and one output. It predicts whether a point is in
# a ring around the center, a problem that is not linearly separable.
rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, (2, 400))
radius = np.hypot(*x)
y = ((radius > 0.4) & (radius < 0.8)).astype(float)[np.newaxis]
network = FeedForwardNetwork([2, 3, 1], "tanh")

# %%
# The forward pass computes :math:`\bar v_{i+1} = W_i v_i + \beta_i` and
# :math:`v_{i+1} = s(\bar v_{i+1})`, layer by layer.
example, target = x[:, :1], y[:, :1]
v_bar, v = network.forward(example)
for number, (before, after) in enumerate(zip(v_bar, v[1:], strict=True), 1):
    print(f"layer {number}: {before.ravel().round(2)} -> {after.ravel().round(2)}")

# %%
# The backward pass starts with the difference of probability and target. It computes
# :math:`\delta_i = W_i^T \bar\delta_{i+1}` and multiplies it by the derivative
# :math:`s'(\bar v_i) = 1 - v_i^2`. The gradients with respect to the weights are outer products,
# :math:`\Delta_i = \bar\delta_{i+1} v_i^T`.
delta_bar_2 = v[2] - target
delta_1 = network.weights[1].T @ delta_bar_2
delta_bar_1 = (1 - v[1] ** 2) * delta_1
by_hand = [delta_bar_1 @ v[0].T, delta_bar_2 @ v[1].T]
for found, expected in zip(by_hand, network.gradients(example, target)[0], strict=True):
    np.testing.assert_allclose(found, expected)
print(by_hand[0].round(3))

# %%
# To verify the gradient, change one weight slightly and compute the difference of the losses.
step = 1e-6
losses = []
for sign in (1, -1):
    network.weights[0][0, 0] += sign * step
    losses.append(network.loss(example, target))
    network.weights[0][0, 0] -= sign * step
print(f"by differences {(losses[0] - losses[1]) / (2 * step):.6f}, by hand {by_hand[0][0, 0]:.6f}")

# %%
# Stochastic gradient descent takes steps against the gradient of small batches of examples. Each
# hidden node of the first layer is a line in the plane; several lines can enclose the ring.
figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 200)] * 2)).reshape(2, -1)
for hidden, axis in zip([1, 3, 12], axes, strict=True):
    network = FeedForwardNetwork([2, hidden, 1], "tanh")
    losses = network.fit(x, y, learning_rate=0.5, batch_size=20, epochs=400)
    probability = network.forward(grid)[1][-1].reshape(200, 200)
    axis.imshow(probability, extent=(-1, 1, -1, 1), origin="lower", cmap="RdBu", vmin=0, vmax=1)
    axis.scatter(*x, c=y.ravel(), cmap="RdBu", s=8, edgecolors="black", linewidths=0.3)
    axis.set_title(f"{hidden} hidden nodes, loss {losses[-1]:.2f}")
plt.show()
