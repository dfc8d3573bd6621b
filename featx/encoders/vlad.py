"""Vector of locally aggregated descriptors (VLAD)."""

from dataclasses import field
from typing import Any, ClassVar

import numpy as np

from featx.core.constraints import StrOptions
from featx.encoders.code_book import CodeBookEncoder
from featx.encoders.encoder import Float32, Float64, divided
from featx.encoders.k_means import nearest_words, residual_sums


class VLAD(CodeBookEncoder):
    r"""Vector of locally aggregated descriptors: sums of residuals from the nearest words.

    Let :math:`X_k` be the descriptors whose nearest word is :math:`w_k`. The vector has the sum
    :math:`u_k = \sum_{x \in X_k} (x - w_k)` for each word [1]_. It is normalized first per word
    [2]_, then as a whole.

    Parameters
    ----------
    residuals : {"sum", "mean", "unit"}, default="sum"
        Sum of the residuals, their mean over :math:`X_k`, or the sum of the unit residuals
        :math:`(x - w_k) / \|x - w_k\|` [3]_.
    intra_norm : bool, default=True
        Scale the entries of each word to unit length, after ``power``, so that frequent words do
        not dominate. Zeros stay zero.

    Notes
    -----
    Accepts descriptor sets. Returns vectors with :math:`K d` entries per cell,
    :math:`u_1 \dots u_K`. Cells and words without descriptors are zero. For the vector of [1]_,
    use ``power=1`` and ``intra_norm=False``. The square roots of ``power=0.5`` follow [4]_.

    References
    ----------
    .. [1] H. Jégou, M. Douze, C. Schmid and P. Pérez, "Aggregating Local Descriptors into a
       Compact Image Representation", CVPR 2010.
    .. [2] R. Arandjelović and A. Zisserman, "All about VLAD", CVPR 2013.
    .. [3] J. Delhumeau, P.-H. Gosselin, H. Jégou and P. Pérez, "Revisiting the VLAD Image
       Representation", ACM Multimedia 2013.
    .. [4] H. Jégou, F. Perronnin, M. Douze, J. Sánchez, P. Pérez and C. Schmid, "Aggregating
       Local Image Descriptors into Compact Codes", IEEE Transactions on Pattern Analysis and
       Machine Intelligence 34(9), 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import VLAD
    >>> word = np.array([[1.0, 2.0], [3.0, 2.0]], dtype=np.float32)  # the mean is (2, 2)
    >>> vlad = VLAD(n_words=1, intra_norm=False, norm=None, power=1).fit([word])
    >>> vlad.transform([np.array([[2.0, 3.0], [5.0, 2.0]], dtype=np.float32)])
    array([[3., 1.]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CodeBookEncoder._parameter_constraints,
        "residuals": [StrOptions({"sum", "mean", "unit"})],
        "intra_norm": ["boolean"],
    }

    n_words: int = field(default=64, kw_only=False)
    residuals: str = "sum"
    intra_norm: bool = True
    power: float = 0.5
    norm: str | None = "l2"
    normalize_cells: bool = True

    def _statistics(self, x: Float32) -> Float64:
        nearest = nearest_words(x, self.words_)
        return residual_sums(x, self.words_, nearest, self.residuals == "unit")

    def _encode(self, statistics: Float64, count: int) -> Float64:
        counts, sums = statistics[:, :1], statistics[:, 1:]
        return (sums / np.maximum(counts, 1) if self.residuals == "mean" else sums).ravel()

    def _parts(self, x: Float32, weights: Float64) -> Float64:
        nearest = nearest_words(x, self.words_)
        residuals = np.subtract(x, self.words_[nearest], dtype=np.float64)
        if self.residuals == "unit":
            residuals = divided(residuals, "l2")
        own = weights.reshape(self.words_.shape)[nearest]
        parts: Float64 = np.einsum("kj,kj->k", residuals, own)
        return parts / np.bincount(nearest)[nearest] if self.residuals == "mean" else parts

    def _powered(self, vectors: Float64) -> Float64:
        vectors = super()._powered(vectors)
        if not self.intra_norm:
            return vectors
        words = vectors.reshape(-1, self.words_.shape[1])
        return divided(words, "l2").reshape(vectors.shape)

    def _length(self) -> int:
        return self.words_.size

    def _entry_names(self) -> list[str]:
        words, features = self.words_.shape
        return [
            f"word{word}_residual{feature}" for word in range(words) for feature in range(features)
        ]
