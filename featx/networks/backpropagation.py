r"""Back-propagation for feed-forward networks, in the usual notation of lectures.

A feed-forward network has layers :math:`v_0 = x, v_1, \dots, v_\ell`, computed by

.. math::

    \bar v_{i+1} = W_i v_i + \beta_i, \qquad v_{i+1} = s(\bar v_{i+1}).

The weights :math:`W_i` from layer :math:`i` to layer :math:`i+1` have one row per node of layer
:math:`i+1`. The last activation :math:`s` is the sigmoid, so :math:`z = v_\ell` is a probability.
The loss is the binary cross-entropy

.. math::

    L = -y \log z - (1 - y) \log(1 - z).

Let :math:`\delta_i` be the gradient of :math:`L` with respect to :math:`v_i`, and
:math:`\bar\delta_i` the gradient with respect to :math:`\bar v_i`. From back to front,

.. math::

    \bar\delta_\ell = z - y, \qquad
    \delta_i = W_i^T \bar\delta_{i+1}, \qquad
    \bar\delta_i = s'(\bar v_i) \times \delta_i,

and the gradients with respect to the weights are outer products:

.. math::

    \Delta_i = \bar\delta_{i+1} v_i^T, \qquad
    \frac{\partial L}{\partial \beta_i} = \bar\delta_{i+1}.

The formulas also hold for a batch of examples. A layer is then a matrix with one column per
example, and :math:`\bar\delta_{i+1} v_i^T` is the sum of the examples' outer products.

Two errors are common in lecture notes. Without its minus sign, the loss is a log-likelihood, which
has to be maximized, not minimized. And :math:`v_i \bar\delta_{i+1}^T` is the transpose of
:math:`\Delta_i` if :math:`W_i` has one row per node of layer :math:`i+1`.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Matrix = NDArray[np.float64]
Function = Callable[[Matrix], Matrix]


def _sigmoid_slope(v: Matrix) -> Matrix:
    slope: Matrix = expit(v) * expit(-v)
    return slope


#: Activations :math:`s` and their derivatives :math:`s'`.
ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "sigmoid": (expit, _sigmoid_slope),
    "tanh": (np.tanh, lambda v: 1 - np.tanh(v) ** 2),
    "relu": (lambda v: np.maximum(v, 0), lambda v: np.where(v > 0, 1.0, 0.0)),
}


class FeedForwardNetwork:
    r"""Feed-forward network with one or more binary outputs, trained by SGD.

    Parameters
    ----------
    sizes : sequence of int
        Number of nodes in each layer, from the input to the output.
    activation : {"sigmoid", "tanh", "relu"}, default="sigmoid"
        Activation :math:`s` of the hidden layers.
    random_state : int, default=0
        Random seed of the weights and of the order of the examples. The weights from a layer of
        :math:`n_i` nodes are Gaussian with variance :math:`1/n_i`; biases start at zero.

    Attributes
    ----------
    weights : list of ndarray
        :math:`W_0, W_1, \dots`, with one row per node of the next layer.
    biases : list of ndarray
        :math:`\beta_0, \beta_1, \dots`, as columns.

    References
    ----------
    .. [1] D. Rumelhart, G. Hinton and R. Williams, "Learning Representations by Back-propagating
       Errors", Nature 323, 1986.

    Examples
    --------
    Learn the exclusive or, which is not linearly separable:

    >>> import numpy as np
    >>> from featx import FeedForwardNetwork
    >>> x = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])  # one column per example
    >>> y = np.array([[0, 1, 1, 0]])
    >>> network = FeedForwardNetwork([2, 4, 1], "tanh")
    >>> losses = network.fit(x, y, learning_rate=0.5, batch_size=2, epochs=400)
    >>> network.forward(x)[1][-1].round().astype(int)
    array([[0, 1, 1, 0]])
    """

    def __init__(
        self, sizes: Sequence[int], activation: str = "sigmoid", random_state: int = 0
    ) -> None:
        self.slope = ACTIVATIONS[activation][1]
        self.activations = [ACTIVATIONS[activation][0]] * (len(sizes) - 2) + [expit]
        self.random = np.random.default_rng(random_state)
        self.weights = [
            self.random.normal(scale=before**-0.5, size=(after, before))
            for before, after in pairwise(sizes)
        ]
        self.biases = [np.zeros((after, 1)) for after in sizes[1:]]

    def forward(self, x: Matrix) -> tuple[list[Matrix], list[Matrix]]:
        r"""Compute :math:`\bar v_1, \dots, \bar v_\ell` and :math:`v_0, \dots, v_\ell`."""
        before, after = [], [x]
        for w, beta, s in zip(self.weights, self.biases, self.activations, strict=True):
            before.append(w @ after[-1] + beta)
            after.append(s(before[-1]))
        return before, after

    def loss(self, x: Matrix, y: Matrix) -> float:
        """Compute the binary cross-entropy, summed over outputs and examples."""
        last = self.forward(x)[0][-1]
        # log z and log(1 - z) for z = s(last), without computing log(0).
        return float(np.sum(np.logaddexp(0, -last) * y + np.logaddexp(0, last) * (1 - y)))

    def gradients(self, x: Matrix, y: Matrix) -> tuple[list[Matrix], list[Matrix]]:
        """Compute the gradients of the loss with respect to weights and biases."""
        v_bar, v = self.forward(x)
        delta_bar = v[-1] - y
        by_weights, by_biases = [delta_bar @ v[-2].T], [delta_bar.sum(axis=1, keepdims=True)]
        for i in range(len(self.weights) - 1, 0, -1):
            delta = self.weights[i].T @ delta_bar
            delta_bar = self.slope(v_bar[i - 1]) * delta
            by_weights.insert(0, delta_bar @ v[i - 1].T)
            by_biases.insert(0, delta_bar.sum(axis=1, keepdims=True))
        return by_weights, by_biases

    def fit(
        self, x: Matrix, y: Matrix, learning_rate: float, batch_size: int, epochs: int
    ) -> list[float]:
        """Train the network by mini-batch gradient descent.

        Parameters
        ----------
        x, y : ndarray of shape (inputs, n) and (outputs, n)
            Examples, one per column, and their targets, 0 or 1.
        learning_rate : float
            Step size, as a factor of the mean gradient.
        batch_size : int
            Number of examples per step. The examples are shuffled in each epoch.
        epochs : int
            Number of passes over the examples.

        Returns
        -------
        list of float
            Mean loss after each epoch.
        """
        losses = []
        for _ in range(epochs):
            order = self.random.permutation(x.shape[1])
            for start in range(0, len(order), batch_size):
                batch = order[start : start + batch_size]
                step = learning_rate / len(batch)
                by_weights, by_biases = self.gradients(x[:, batch], y[:, batch])
                for w, gradient in zip(self.weights, by_weights, strict=True):
                    w -= step * gradient
                for beta, gradient in zip(self.biases, by_biases, strict=True):
                    beta -= step * gradient
            losses.append(self.loss(x, y) / x.shape[1])
        return losses
