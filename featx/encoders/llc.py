"""Locality-constrained linear coding."""

from dataclasses import field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.checking import Requirements
from featx.core.compiled import compiled
from featx.core.constraints import natural, positive
from featx.core.errors import InputError
from featx.encoders.code_book import PooledCodes
from featx.encoders.encoder import Float32, Float64
from featx.encoders.k_means import nearness


class LLC(PooledCodes):
    r"""Locality-constrained linear coding: descriptors as combinations of nearby words.

    Let the rows of :math:`B` be the :math:`m` words nearest to a descriptor :math:`x`. The code
    :math:`c` of the descriptor solves

    .. math::

        \min_c \|x - B^\top c\|^2 + \lambda \operatorname{tr}(C) \|c\|^2
        \quad \text{with} \quad \mathbf{1}^\top c = 1,
        \qquad C = (B - \mathbf{1} x^\top)(B - \mathbf{1} x^\top)^\top,

    the approximated coding of [1]_. The solution of
    :math:`(C + \lambda \operatorname{tr}(C) I)\, c = \mathbf{1}`, divided by its sum, is the code.
    It is zero for all other words. By default, the codes of a cell are pooled by their maximum for
    each word.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number :math:`m` of words that code a descriptor.
    regularization : float, default=0.0001
        Regularization strength :math:`\lambda`, relative to the trace of :math:`C`.

    Notes
    -----
    Accepts descriptor sets. Returns vectors with ``n_words`` entries per cell. Cells without
    descriptors are zero. Codes can be negative; so can the maximum, for a word that codes every
    descriptor of a cell.

    Unlike [1]_, the words are not optimized for the codes after k-means.

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
        **PooledCodes._parameter_constraints,
        "n_neighbors": [natural],
        "regularization": [positive],
    }

    n_words: int = field(default=1024, kw_only=False)
    n_neighbors: int = 5
    regularization: float = 1e-4
    pooling: str = "max"
    norm: str | None = "l2"

    def _requirements(self) -> Requirements:
        requirements = super()._requirements()
        if self.n_neighbors > self.n_words:
            raise InputError(
                f"LLC: n_neighbors={self.n_neighbors} exceeds the number of words. Use at most "
                f"n_words={self.n_words}."
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
        # A word has the code zero for descriptors that it does not code.
        for_all = np.bincount(nearest.ravel(), minlength=self.n_words) == len(x)
        return np.where(for_all, pooled, np.maximum(pooled, 0))

    def _of_nearest(self, x: Float32) -> tuple[NDArray[np.int32], Float64]:
        """Return the nearest words of each descriptor and its codes for them."""
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
    """Find the rows of the largest scores in each column, in descending order of score."""
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
    """Solve for the code of each descriptor by Cholesky decomposition."""
    count, neighbors = nearest.shape
    features = x.shape[1]
    # Summing in groups of eight is vectorized; the padding entries are zero.
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
        # If all neighbors equal the descriptor, they get equal weights.
        added = regularization * trace if trace > 0 else 1.0
        for a in range(neighbors):
            matrix[a, a] += added
        _solve(matrix, codes[i])
        codes[i] /= codes[i].sum()


@compiled
def _solve(matrix: Float64, solution: Float64) -> None:
    """Solve for a right-hand side of ones, in place; only the lower triangle is read."""
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
