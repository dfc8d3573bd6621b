"""Locality-constrained linear coding."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.checking import Requirements
from featx.core.compiled import compiled
from featx.core.constraints import natural, positive
from featx.encoders.code_book import PooledCodes
from featx.encoders.encoder import Float32, Float64
from featx.encoders.k_means import nearness
from featx.encoders.pyramid import Grids


class LLC(PooledCodes):
    r"""Each descriptor as a sum of the words near it: locality-constrained linear coding.

    Of the :math:`m` words nearest to a descriptor :math:`x`, as rows of :math:`B`, the code is

    .. math::

        \min_c \|x - B^\top c\|^2 + \lambda \operatorname{tr}(C) \|c\|^2
        \quad \text{with} \quad \mathbf{1}^\top c = 1,
        \qquad C = (B - \mathbf{1} x^\top)(B - \mathbf{1} x^\top)^\top,

    the approximation of [1]_, whose solution is that of
    :math:`(C + \lambda \operatorname{tr}(C) I)\, c = \mathbf{1}`, divided by its sum. For all
    other words it is zero. Of all codes, the largest entry for each word is taken.

    Parameters
    ----------
    n_words : int, default=1024
        The number of words, found by k-means.
    n_neighbors : int, default=5
        The :math:`m` words that code a descriptor.
    regularization : float, default=0.0001
        :math:`\lambda`.
    pooling : {"max", "average", "sum"}, default="max"
        How the codes of a cell's descriptors are put together.
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
    norm : {"l1", "l2"} or None, default="l2"
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
    Takes descriptor sets; gives vectors of ``n_words`` entries a cell. Codes have negative
    entries, too; of a word that codes all descriptors, the largest entry may be negative. Without
    descriptors, a cell's entries are zero.

    In [1]_, the words are refined for the codes after k-means; here they are not.

    References
    ----------
    .. [1] J. Wang, J. Yang, K. Yu, F. Lv, T. Huang and Y. Gong, "Locality-constrained Linear
       Coding for Image Classification", CVPR 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import LLC
    >>> words = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 9.0]], dtype=np.float32)
    >>> coding = LLC(n_words=3, n_neighbors=2, norm=None).fit([words])
    >>> between = np.array([[1.0, 0.0]], dtype=np.float32)
    >>> np.sort(coding.transform([between])).round(2)
    array([[0.  , 0.25, 0.75]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PooledCodes._pooling_constraints,
        "n_neighbors": [natural],
        "regularization": [positive],
    }

    def __init__(
        self,
        n_words: int = 1024,
        *,
        n_neighbors: int = 5,
        regularization: float = 1e-4,
        pooling: str = "max",
        n_components: int | None = None,
        whiten: bool = False,
        append_position: float | None = None,
        pyramid: Grids = ((1, 1),),
        pyramid_weights: Sequence[float] | None = None,
        power: float = 1.0,
        norm: str | None = "l2",
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
        self.n_neighbors = n_neighbors
        self.regularization = regularization
        self.pooling = pooling

    def _requirements(self) -> Requirements:
        requirements = super()._requirements()
        if self.n_neighbors > self.n_words:
            raise ValueError(
                f"LLC: n_neighbors={self.n_neighbors} is more than n_words={self.n_words}."
            )
        return requirements

    def _statistics(self, x: Float32) -> Float64:
        pooled = np.zeros(self.n_words)
        nearest, codes = self._of_nearest(x)
        if self.pooling != "max":
            np.add.at(pooled, nearest, codes)
            return pooled
        pooled[:] = -np.inf
        np.maximum.at(pooled, nearest, codes)
        # The codes of the other descriptors are zero.
        for_all = np.bincount(nearest.ravel(), minlength=self.n_words) == len(x)
        return np.where(for_all, pooled, np.maximum(pooled, 0))

    def _of_nearest(self, x: Float32) -> tuple[NDArray[np.int32], Float64]:
        """Give the nearest words of each descriptor, and its codes for them."""
        codes = np.empty((len(x), self.n_neighbors))
        nearest = np.empty((len(x), self.n_neighbors), np.int32)
        for part, scores in nearness(x, self.words_):
            _largest(scores, nearest[part])
        _codes(x, self.words_, nearest, self.regularization, codes)
        return nearest, codes

    def _codes(self, x: Float32) -> Float64:
        codes = np.zeros((len(x), self.n_words))
        nearest, of_nearest = self._of_nearest(x)
        np.put_along_axis(codes, nearest, of_nearest, axis=1)
        return codes


@compiled
def _largest(scores: Float32, rows: NDArray[np.int32]) -> None:
    """Find the rows of the largest scores in each column, the largest first."""
    words, columns = scores.shape
    wanted = rows.shape[1]
    best = np.full((wanted, columns), -np.inf, np.float32)
    for word in range(words):
        for i in range(columns):
            score = scores[word, i]
            if score > best[-1, i]:
                place = wanted - 1
                while place > 0 and score > best[place - 1, i]:
                    best[place, i] = best[place - 1, i]
                    rows[i, place] = rows[i, place - 1]
                    place -= 1
                best[place, i] = score
                rows[i, place] = word


@compiled
def _codes(
    x: Float32,
    words: Float32,
    nearest: NDArray[np.int32],
    regularization: float,
    codes: Float64,
) -> None:
    """Solve for the code of each descriptor, by Cholesky's decomposition."""
    count, neighbors = nearest.shape
    features = x.shape[1]
    # Sums are added up in eights, which are vectorised; the entries beyond the last are zero.
    eights = -(-features // 8)
    shifted = np.zeros((neighbors, eights, 8))
    sums = np.empty(8)
    matrix = np.empty((neighbors, neighbors))
    for i in range(count):
        for a in range(neighbors):
            word = words[nearest[i, a]]
            for j in range(features):
                shifted[a, j // 8, j % 8] = np.float64(word[j]) - x[i, j]
        trace = 0.0
        for a in range(neighbors):
            for b in range(a + 1):
                sums[:] = 0
                for eight in range(eights):
                    for j in range(8):
                        sums[j] += shifted[a, eight, j] * shifted[b, eight, j]
                matrix[a, b] = sums.sum()
            trace += matrix[a, a]
        # Where the words all are the descriptor, they share it.
        added = regularization * trace if trace > 0 else 1.0
        for a in range(neighbors):
            matrix[a, a] += added
        _solve(matrix, codes[i])
        codes[i] /= codes[i].sum()


@compiled
def _solve(matrix: Float64, solution: Float64) -> None:
    """Solve for ones on the right, in place; only the lower triangle is looked at."""
    size = len(matrix)
    for a in range(size):
        for b in range(a + 1):
            value = matrix[a, b]
            for c in range(b):
                value -= matrix[a, c] * matrix[b, c]
            matrix[a, b] = np.sqrt(value) if a == b else value / matrix[b, b]
    for a in range(size):
        value = 1.0
        for c in range(a):
            value -= matrix[a, c] * solution[c]
        solution[a] = value / matrix[a, a]
    for a in range(size - 1, -1, -1):
        value = solution[a]
        for c in range(a + 1, size):
            value -= matrix[c, a] * solution[c]
        solution[a] = value / matrix[a, a]
