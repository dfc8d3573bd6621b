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
    r"""Super-vector coding: counts of visual words and mean residuals from them.

    Let :math:`X_k` be the descriptors whose nearest word is :math:`w_k`, and
    :math:`p_k = |X_k| / n` their share of all :math:`n` descriptors. The vector [1]_ has for each
    word the entries

    .. math::

        \frac{1}{n \sqrt{p_k}} \sum_{x \in X_k} \begin{pmatrix} s \\ x - w_k \end{pmatrix}
        = \sqrt{p_k} \begin{pmatrix} s \\ \bar x_k - w_k \end{pmatrix},
        \qquad \bar x_k = \frac{1}{|X_k|} \sum_{x \in X_k} x.

    A linear function of the codes :math:`(s, x - w_k)` is a piecewise linear function of
    :math:`x`, linear around each word. The factor :math:`1 / \sqrt{p_k}` makes the inner product
    of two images an inner product of their distributions.

    Parameters
    ----------
    constant : float, default=1.0
        :math:`s`, the weight of the counts relative to the residuals.

    Notes
    -----
    Accepts descriptor sets. Returns vectors with :math:`K (1 + d)` entries per cell, word by word.
    Cells and words without descriptors are zero. For the coding of [1]_, use ``power=1``.

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
        # n sqrt(p_k) = sqrt(n |X_k|)
        return np.ravel(codes / np.sqrt(count * np.maximum(counts, 1)))

    def _parts(self, x: Float32, weights: Float64) -> Float64:
        nearest = nearest_words(x, self.words_)
        residuals = np.subtract(x, self.words_[nearest], dtype=np.float64)
        own = weights.reshape(self.n_words, -1)[nearest]
        # Scaled as in _encode, by the number of descriptors of the word.
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
