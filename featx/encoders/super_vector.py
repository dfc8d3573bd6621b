"""Super-vector coding."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from featx.core.constraints import Interval
from featx.encoders.code_book import CodeBookEncoder
from featx.encoders.encoder import Float32, Float64
from featx.encoders.k_means import nearest_words, residual_sums
from featx.encoders.pyramid import Grids


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
    n_words : int, default=256
        The number of words, found by k-means.
    constant : float, default=1.0
        :math:`s`, which weighs how many descriptors there are against how they differ.
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
    power : float, default=0.5
        Each entry :math:`v` becomes :math:`\operatorname{sign}(v)|v|^\text{power}`.
    norm : {"l1", "l2"} or None, default="l2"
        Divide the vector by this norm, unless that is zero.
    normalize_cells : bool, default=True
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
        **CodeBookEncoder._code_book_constraints,
        "constant": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_words: int = 256,
        *,
        constant: float = 1.0,
        n_components: int | None = None,
        whiten: bool = False,
        append_position: float | None = None,
        pyramid: Grids = ((1, 1),),
        pyramid_weights: Sequence[float] | None = None,
        power: float = 0.5,
        norm: str | None = "l2",
        normalize_cells: bool = True,
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
        self.constant = constant

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
