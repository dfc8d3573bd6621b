r"""Back-propagation, in the letters in which lectures derive it.

A feed-forward network has layers :math:`v_0 = x, v_1, \dots, v_\ell`. From one to the next,

.. math::

    \bar v_{i+1} = W_i v_i + \beta_i, \qquad v_{i+1} = s(\bar v_{i+1}),

with the weights from layer :math:`i` to layer :math:`i+1` in the rows of :math:`W_i`. The last
:math:`s` is the sigmoid, so that :math:`z = v_\ell` is a probability, and the loss is the binary
cross-entropy

.. math::

    L = -y \log z - (1 - y) \log(1 - z).

Write :math:`\delta_i` for the derivatives of :math:`L` by :math:`v_i`, and :math:`\bar\delta_i` for
those by :math:`\bar v_i`. From back to front,

.. math::

    \bar\delta_\ell = z - y, \qquad
    \delta_i = W_i^T \bar\delta_{i+1}, \qquad
    \bar\delta_i = s'(\bar v_i) \times \delta_i,

and the derivatives by the weights are outer products:

.. math::

    \Delta_i = \bar\delta_{i+1} v_i^T, \qquad
    \frac{\partial L}{\partial \beta_i} = \bar\delta_{i+1}.

All of this holds for several examples at once: a layer is then a matrix with a column for each
example, and the product :math:`\bar\delta_{i+1} v_i^T` is the sum of the examples' outer products.

Two slips are common in lecture notes. The loss without its minus sign is a likelihood, which is to
grow; descent on it would run away from the data. And :math:`v_i \bar\delta_{i+1}^T` is the
transpose of :math:`\Delta_i`, if :math:`W_i` has a row for each node of layer :math:`i+1`.
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


#: Each activation :math:`s` and its derivative :math:`s'`.
ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "sigmoid": (expit, _sigmoid_slope),
    "tanh": (np.tanh, lambda v: 1 - np.tanh(v) ** 2),
    "relu": (lambda v: np.maximum(v, 0), lambda v: np.where(v > 0, 1.0, 0.0)),
}


class FeedForwardNetwork:
    r"""A feed-forward network for one or more yes-or-no questions, trained by SGD.

    Parameters
    ----------
    sizes : sequence of int
        The number of nodes in each layer, from the input to the output.
    activation : {"sigmoid", "tanh", "relu"}, default="sigmoid"
        :math:`s` of the layers between.
    random_state : int, default=0
        Seeds the weights, Gaussian of variance :math:`1/n_i` for :math:`n_i` nodes in layer
        :math:`i`, and the order of the examples. Biases begin at zero.

    Attributes
    ----------
    weights : list of ndarray
        :math:`W_0, W_1, \dots`, each with a row for each node of the layer after.
    biases : list of ndarray
        :math:`\beta_0, \beta_1, \dots`, columns.

    References
    ----------
    .. [1] D. Rumelhart, G. Hinton and R. Williams, "Learning Representations by Back-propagating
       Errors", Nature 323, 1986.

    Examples
    --------
    Exactly one of two, which no single line tells apart:

    >>> import numpy as np
    >>> from featx import FeedForwardNetwork
    >>> x = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])  # a column for each example
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
        # log z and log(1 - z) of z = s(last), without the logarithm of zero.
        return float(np.sum(np.logaddexp(0, -last) * y + np.logaddexp(0, last) * (1 - y)))

    def gradients(self, x: Matrix, y: Matrix) -> tuple[list[Matrix], list[Matrix]]:
        """Compute the derivatives of the loss by each weight and each bias, by back-propagation."""
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
        """Take a step against the mean gradient of each mini-batch; give each epoch's mean loss.

        Parameters
        ----------
        x, y : ndarray of shape (inputs, n) and (outputs, n)
            Examples, in columns, and their answers, 0 or 1.
        learning_rate : float
            The length of a step for a gradient of length one.
        batch_size : int
            The examples are shuffled in each epoch, and taken so many at a time.
        epochs : int
            How often each example is seen.
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
