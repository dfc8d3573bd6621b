"""Super-vector coding."""

from dataclasses import field
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from featx.core.constraints import Interval
from featx.encoders.code_book import CodeBookEncoder
from featx.encoders.encoder import Float32, Float64
from featx.encoders.k_means import nearest_words, residual_sums


class SuperVector(CodeBookEncoder):
    r"""How many descriptors of an image each visual word has, and how they differ from it.

    With :math:`X_k` the descriptors of which the word :math:`w_k` is the nearest, and
    :math:`p_k = |X_k| / n` their share of all :math:`n`, the vector of [1]_ is for each word

    .. math::

        \frac{1}{n \sqrt{p_k}} \sum_{x \in X_k} \begin{pmatrix} s \\ x - w_k \end{pmatrix}
        = \sqrt{p_k} \begin{pmatrix} s \\ \bar x_k - w_k \end{pmatrix},
        \qquad \bar x_k = \frac{1}{|X_k|} \sum_{x \in X_k} x.

    A linear function of the codes :math:`(s, x - w_k)` is a function of :math:`x` that is linear
    around each word; the factor makes the inner product of two images one of distributions.

    Parameters
    ----------
    constant : float, default=1.0
        :math:`s`, which weighs how many descriptors there are against how they differ.

    Notes
    -----
    Takes descriptor sets; gives vectors of :math:`K (1 + d)` entries a cell, word by word.
    Without descriptors, the entries of a cell, or of a word, are zero. In [1]_, ``power=1``.

    References
    ----------
    .. [1] X. Zhou, K. Yu, T. Zhang and T. Huang, "Image Classification using Super-Vector Coding
       of Local Image Descriptors", ECCV 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import SuperVector
    >>> word = np.array([[1.0, 2.0], [3.0, 2.0]], dtype=np.float32)  # the mean is (2, 2)
    >>> coding = SuperVector(n_words=1, constant=0.5, norm=None, power=1).fit([word])
    >>> coding.transform([np.array([[2.0, 3.0], [5.0, 2.0]], dtype=np.float32)])
    array([[0.5, 1.5, 0.5]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CodeBookEncoder._parameter_constraints,
        "constant": [Interval(Real, 0, None, closed="left")],
    }

    n_words: int = field(default=256, kw_only=False)
    constant: float = 1.0
    power: float = 0.5
    norm: str | None = "l2"
    normalize_cells: bool = True

    def _statistics(self, x: Float32) -> Float64:
        return residual_sums(x, self.words_, nearest_words(x, self.words_), False)

    def _encode(self, statistics: Float64, count: int) -> Float64:
        counts, sums = statistics[:, :1], statistics[:, 1:]
        codes = np.hstack([self.constant * counts, sums])
        # Divided by n and by the root of a word's share of n.
        return np.ravel(codes / np.sqrt(count * np.maximum(counts, 1)))

    def _parts(self, x: Float32, weights: Float64) -> Float64:
        nearest = nearest_words(x, self.words_)
        residuals = np.subtract(x, self.words_[nearest], dtype=np.float64)
        own = weights.reshape(self.n_words, -1)[nearest]
        # Divided as in the whole, by the number of descriptors of the word.
        parts: Float64 = np.einsum("kj,kj->k", residuals, own[:, 1:])
        parts += self.constant * own[:, 0]
        return parts / np.sqrt(len(x) * np.bincount(nearest)[nearest])

    def _length(self) -> int:
        return self.words_.size + self.n_words

    def _entry_names(self) -> list[str]:
        words, features = self.words_.shape
        return [
            f"word{word}_{entry}"
            for word in range(words)
            for entry in ("share", *(f"residual{feature}" for feature in range(features)))
        ]
