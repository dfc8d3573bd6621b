r"""
Stochastic gradient descent and its adaptive kin
================================================

Each step follows the gradient on a few examples. Where the loss is a narrow valley, a step that is
short enough for its walls is too short for its floor. Momentum, and step lengths that adapt to
each weight, help.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

# %%
# A synthetic problem: a linear model :math:`y = 3 a + 2 b`, whose second input is on a scale ten
# times smaller, so that the loss is ten times as long as wide; batches of eight examples.
rng = np.random.default_rng(0)
inputs = rng.normal(size=(512, 2)) * [1, 0.1]
answers = inputs @ [3, 2] + rng.normal(0, 0.05, 512)
inputs, answers = torch.from_numpy(inputs), torch.from_numpy(answers)


def descend(make, steps=300):
    """Give the weights after every step, from the same start and with the same batches."""
    weights = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = make([weights])
    order = np.random.default_rng(1).integers(0, 512, (steps, 8))
    path = [weights.detach().clone()]
    for batch in order:
        optimizer.zero_grad()
        ((inputs[batch] @ weights - answers[batch]) ** 2).mean().backward()
        optimizer.step()
        path.append(weights.detach().clone())
    return torch.stack(path).numpy()


# %%
# Each with a step length that suits it. AdaGrad and Adam divide by how large a weight's gradients
# have been, and so take the floor of the valley as fast as its walls.
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
    loss = ((inputs.numpy() @ path.T - answers.numpy()[:, np.newaxis]) ** 2).mean(axis=0)
    right.semilogy(loss, linewidth=1)
left.legend()
left.set(xlabel="first weight", ylabel="second weight")
right.set(xlabel="step", ylabel="loss on all examples")
plt.show()
