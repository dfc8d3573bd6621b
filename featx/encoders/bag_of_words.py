"""Bag of visual words."""

from dataclasses import field
from typing import Any, ClassVar

import numpy as np

from featx.core.constraints import StrOptions, positive
from featx.encoders.code_book import PooledCodes
from featx.encoders.encoder import Float32, Float64
from featx.encoders.k_means import nearest_words, nearness
from featx.encoders.softmax import exponentiate


class BagOfWords(PooledCodes):
    r"""Bag of visual words: a histogram over the nearest words of an image's descriptors.

    With hard assignment, a descriptor :math:`x` counts for its nearest word [1]_. With soft
    assignment, it counts for each word :math:`w_k` with the weight

    .. math::

        q_k(x) = \frac{\exp(-\|x - w_k\|^2 / 2 \sigma^2)}
                      {\sum_j \exp(-\|x - w_j\|^2 / 2 \sigma^2)},

    the codeword uncertainty of [2]_. The weights are pooled over the descriptors of a cell.

    Parameters
    ----------
    assignment : {"hard", "soft"}, default="hard"
        Assign a descriptor to its nearest word only, or to all words.
    sigma : float, optional
        :math:`\sigma` of soft assignment. Defaults to the root mean square difference, per entry,
        between the sampled descriptors and their nearest words.

    Attributes
    ----------
    sigma_ : float
        :math:`\sigma` of soft assignment.

    Notes
    -----
    Accepts descriptor sets. Returns vectors with ``n_words`` entries per cell. Cells without
    descriptors are zero.

    For the spatial pyramid matching of [3]_, use ``pyramid=[[1, 1], [2, 2], [4, 4]]``,
    ``pyramid_weights=[1/4, 1/4, 1/2]``, ``pooling="sum"``, ``norm="l1"``, and a classifier with
    the histogram intersection kernel.

    References
    ----------
    .. [1] G. Csurka, C. Dance, L. Fan, J. Willamowski and C. Bray, "Visual Categorization with
       Bags of Keypoints", ECCV workshop on statistical learning in computer vision, 2004.
    .. [2] J. van Gemert, C. Veenman, A. Smeulders and J.-M. Geusebroek, "Visual Word Ambiguity",
       IEEE Transactions on Pattern Analysis and Machine Intelligence 32(7), 2010.
    .. [3] S. Lazebnik, C. Schmid and J. Ponce, "Beyond Bags of Features: Spatial Pyramid
       Matching for Recognizing Natural Scene Categories", CVPR 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import BagOfWords
    >>> near_zero, near_one = np.zeros((3, 2), np.float32), np.ones((1, 2), np.float32)
    >>> bag = BagOfWords(n_words=2).fit([near_zero, near_one])
    >>> np.sort(bag.transform([np.concatenate([near_zero, near_one])]))
    array([[0.25, 0.75]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PooledCodes._parameter_constraints,
        "assignment": [StrOptions({"hard", "soft"})],
        "sigma": [positive, None],
    }

    n_words: int = field(default=400, kw_only=False)
    assignment: str = "hard"
    sigma: float | None = None
    pooling: str = "average"

    def _learn(self, x: Float32) -> None:
        super()._learn(x)
        residuals = x - self.words_[nearest_words(x, self.words_)]
        # Maximum-likelihood width of isotropic Gaussians centered at the words.
        spread = float(np.sqrt(np.mean(residuals.astype(np.float64) ** 2)))
        # If every descriptor equals its word, any positive width works.
        self.sigma_ = self.sigma or spread or 1.0

    def _statistics(self, x: Float32) -> Float64:
        if self.assignment == "soft":
            return self._soft(x)
        counts = np.bincount(nearest_words(x, self.words_), minlength=self.n_words)
        return np.minimum(counts, 1.0) if self.pooling == "max" else counts.astype(np.float64)

    def _codes(self, x: Float32) -> Float64:
        codes = np.zeros((len(x), self.n_words))
        if self.assignment == "hard":
            codes[np.arange(len(x)), nearest_words(x, self.words_)] = 1
            return codes
        width = np.float32(self.sigma_)
        for part, scores in nearness(x / width, self.words_ / width):
            _, totals = exponentiate(scores)
            codes[part] = (scores / totals).T
        return codes

    def _soft(self, x: Float32) -> Float64:
        width = np.float32(self.sigma_)
        found = []
        for _, scores in nearness(x / width, self.words_ / width):
            _, totals = exponentiate(scores)
            shares = np.divide(scores, totals, out=scores)
            found.append(shares.max(axis=1) if self.pooling == "max" else shares.sum(axis=1))
        return self._combine(np.asarray(found, np.float64))
