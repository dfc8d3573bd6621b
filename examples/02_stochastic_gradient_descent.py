r"""
Stochastic gradient descent and adaptive methods
================================================

Each step follows the gradient of a small batch of examples. If the loss is ill-conditioned, a
learning rate that is stable in the steep direction is too small for the flat direction. Momentum
and adaptive learning rates per weight speed up convergence.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

# %%
# The synthetic problem is a linear model :math:`y = 3 a + 2 b`. The scale of the second input is
# ten times smaller, so the contours of the loss are ten times as long as wide. Batches have eight
# examples.
rng = np.random.default_rng(0)
inputs = rng.normal(size=(512, 2)) * [1, 0.1]
targets = inputs @ [3, 2] + rng.normal(0, 0.05, 512)
inputs, targets = torch.from_numpy(inputs), torch.from_numpy(targets)


def descend(make, steps=300):
    """Return the weights after every step, with the same start and batches for all optimizers."""
    weights = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = make([weights])
    order = np.random.default_rng(1).integers(0, 512, (steps, 8))
    path = [weights.detach().clone()]
    for batch in order:
        optimizer.zero_grad()
        ((inputs[batch] @ weights - targets[batch]) ** 2).mean().backward()
        optimizer.step()
        path.append(weights.detach().clone())
    return torch.stack(path).numpy()


# %%
# Each optimizer has its own suitable learning rate. AdaGrad, RMSProp and Adam divide the step of
# each weight by the magnitude of its past gradients. They are as fast in the flat direction as in
# the steep one.
optimizers = {
    "SGD": lambda weights: torch.optim.SGD(weights, 0.1),
    "momentum": lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9),
    "AdaGrad": lambda weights: torch.optim.Adagrad(weights, 0.3),
    "RMSProp": lambda weights: torch.optim.RMSprop(weights, 0.03),
    "Adam": lambda weights: torch.optim.Adam(weights, 0.1),
}
paths = {name: descend(make) for name, make in optimizers.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
a, b = np.meshgrid(np.linspace(-0.5, 4.5, 80), np.linspace(-0.5, 3.5, 80))
left.contour(a, b, np.sqrt((a - 3) ** 2 + 0.01 * (b - 2) ** 2), 14, cmap="Greys_r")
for name, path in paths.items():
    left.plot(*path.T, linewidth=1, label=name)
    loss = ((inputs.numpy() @ path.T - targets.numpy()[:, np.newaxis]) ** 2).mean(axis=0)
    right.semilogy(loss, linewidth=1)
left.legend()
left.set(xlabel="first weight", ylabel="second weight")
right.set(xlabel="step", ylabel="loss on all examples")
plt.show()
