"""Bags of visual words."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from featx.core.constraints import StrOptions, positive
from featx.encoders.code_book import PooledCodes
from featx.encoders.encoder import Float32, Float64
from featx.encoders.k_means import nearest_words, nearness
from featx.encoders.pyramid import Grids
from featx.encoders.softmax import exponentiate


class BagOfWords(PooledCodes):
    r"""How often each visual word occurs among the descriptors of an image.

    A descriptor :math:`x` counts for its nearest word [1]_, or for each word :math:`w_k` with

    .. math::

        q_k(x) = \frac{\exp(-\|x - w_k\|^2 / 2 \sigma^2)}
                      {\sum_j \exp(-\|x - w_j\|^2 / 2 \sigma^2)},

    the codeword uncertainty of [2]_. What the descriptors count for is averaged, added up, or the
    largest of it is taken.

    Parameters
    ----------
    n_words : int, default=400
        The number of words, found by k-means.
    assignment : {"hard", "soft"}, default="hard"
        Whether a descriptor counts for the nearest word or for all.
    sigma : float, optional
        The :math:`\sigma` of soft assignment. By default the root mean square of the entries of
        the differences between the sample's descriptors and their nearest words.
    pooling : {"average", "sum", "max"}, default="average"
        How a cell's descriptors are put together.
    n_components : int, optional
        Descriptors are first projected to so many principal components of the sample, or to
        fewer, where it varies in fewer directions.
    whiten : bool, default=False
        Divide each component by its standard deviation; all components, where ``n_components``
        is not given.
    append_position : float, optional
        This number times (row - 1/2, column - 1/2) is appended to each descriptor, after the
        projection; rows and columns are fractions of the image's height and width.
    pyramid : list of (int, int), default=((1, 1),)
        Grids of rows and columns. Each cell of each grid is encoded by itself, and the vectors
        are put side by side, grid by grid and row by row.
    pyramid_weights : list of float, optional
        A factor for each grid.
    power : float, default=1.0
        Each entry :math:`v` becomes :math:`\operatorname{sign}(v)|v|^\text{power}`.
    norm : {"l1", "l2"} or None, default=None
        Divide the vector by this norm, unless that is zero.
    normalize_cells : bool, default=False
        Divide each cell's vector by its norm, before the weights and the norm of the whole.
    n_samples : int, default=100_000
        How many descriptors are drawn to learn from, about as many from each image, and at most
        from so many images that each gives 250.
    random_state : int, default=0
        Seeds the sample and the words.

    Attributes
    ----------
    words_ : ndarray of float32, (n_words, d)
        The words, of descriptors after projection and appended position.
    counts_ : ndarray of shape (n_words,)
        How many descriptors each word is the mean of.
    sigma_ : float
        The :math:`\sigma` of soft assignment.
    mean_ : ndarray of float32, (``n_features_in_``,)
        What is subtracted before the projection; zero where there is none.
    components_ : ndarray of float32, (n_components, ``n_features_in_``), or None
        The directions of the projection, divided by their standard deviations under ``whiten``.
    n_features_in_ : int
        The length of a descriptor.

    Raises
    ------
    ValueError
        If there are fewer descriptors to learn from than words or components, if descriptors
        are not all of one length, or if they lack the positions that the parameters need.

    Notes
    -----
    Takes descriptor sets; gives vectors of ``n_words`` entries a cell. Without descriptors, a
    cell's entries are zero.

    The histograms of a spatial pyramid as in [3]_, for a kernel that is the sum of the smaller
    of two entries, are those of ``pyramid=[[1, 1], [2, 2], [4, 4]]``,
    ``pyramid_weights=[1/4, 1/4, 1/2]``, ``pooling="sum"`` and ``norm="l1"``.

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
        **PooledCodes._pooling_constraints,
        "assignment": [StrOptions({"hard", "soft"})],
        "sigma": [positive, None],
    }

    def __init__(
        self,
        n_words: int = 400,
        *,
        assignment: str = "hard",
        sigma: float | None = None,
        pooling: str = "average",
        n_components: int | None = None,
        whiten: bool = False,
        append_position: float | None = None,
        pyramid: Grids = ((1, 1),),
        pyramid_weights: Sequence[float] | None = None,
        power: float = 1.0,
        norm: str | None = None,
        normalize_cells: bool = False,
        n_samples: int = 100_000,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            n_components=n_components,
            whiten=whiten,
            append_position=append_position,
            pyramid=pyramid,
            pyramid_weights=pyramid_weights,
            power=power,
            norm=norm,
            normalize_cells=normalize_cells,
            n_samples=n_samples,
            random_state=random_state,
        )
        self.n_words = n_words
        self.assignment = assignment
        self.sigma = sigma
        self.pooling = pooling

    def _learn(self, x: Float32) -> None:
        super()._learn(x)
        residuals = x - self.words_[nearest_words(x, self.words_)]
        # Of the mixture of round Gaussians at the words, of which the sample is likeliest.
        spread = float(np.sqrt(np.mean(residuals.astype(np.float64) ** 2)))
        # Where descriptors are their words, any width tells them from the others.
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
