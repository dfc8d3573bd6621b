"""K-means code books: fitting visual words and finding the nearest word."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from featx.core.compiled import compiled
from featx.core.warning_filters import IgnoredWarnings

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# Number of descriptors per block: intermediate results of a block fit in the cache.
_BLOCK = 512
# K-means warns if descriptors are identical, as those of constant images are.
_equal_words = IgnoredWarnings(ConvergenceWarning)


def fit_words(x: Float32, n_words: int, random_state: int) -> tuple[Float32, Float64]:
    """Fit words by mini-batch k-means, then move each word to the mean of its descriptors.

    Returns
    -------
    words : ndarray of float32, (n_words, n_features)
    counts : ndarray of shape (n_words,)
        Number of descriptors averaged into each word; zero if it is nearest to none.
    """
    k_means = MiniBatchKMeans(n_words, n_init=1, random_state=random_state)
    with _equal_words:
        k_means.fit(x)
    return move_words(x, k_means.cluster_centers_.astype(np.float32), np.zeros(n_words))


def move_words(x: Float32, words: Float32, counts: Float64) -> tuple[Float32, Float64]:
    """Move each word to the mean of its earlier descriptors and those nearest to it in ``x``.

    Returns
    -------
    words, counts
        Updated words and counts.
    """
    sums = residual_sums(x, words, nearest_words(x, words), False)
    counts = counts + sums[:, 0]
    shifts = sums[:, 1:] / np.maximum(counts, 1)[:, np.newaxis]
    return (words + shifts).astype(np.float32), counts


def nearest_words(x: Float32, words: Float32) -> NDArray[np.int32]:
    """Return the index of the word nearest to each descriptor, the first one in a tie."""
    nearest = np.empty(len(x), np.int32)
    for part, scores in nearness(x, words):
        _argmax(scores, nearest[part])
    return nearest


def nearness(x: Float32, words: Float32) -> Iterator[tuple[slice, Float32]]:
    r"""Compute :math:`-\|x - w\|^2 / 2` up to a term that is the same for all words.

    Yields
    ------
    part : slice
        Block of descriptors.
    scores : ndarray of float32, (n_words, size of the part)
    """
    # Distances are translation invariant: centering reduces numerical cancellation.
    origin = words.mean(axis=0)
    centered = words - origin
    halves = 0.5 * np.einsum("wj,wj->w", centered, centered, dtype=np.float64)
    subtracted = halves.astype(np.float32)[:, np.newaxis]
    for start in range(0, len(x), _BLOCK):
        part = slice(start, start + _BLOCK)
        scores = centered @ (x[part] - origin).T
        scores -= subtracted
        yield part, scores


@compiled
def _argmax(scores: Float32, best: NDArray[np.int32]) -> None:
    """Find the row of the largest score in each column."""
    rows, columns = scores.shape
    highest = scores[0].copy()
    best[:] = 0
    for row in range(1, rows):
        for i in range(columns):
            better = scores[row, i] > highest[i]
            highest[i] = scores[row, i] if better else highest[i]
            best[i] = row if better else best[i]


@compiled
def residual_sums(x: Float32, words: Float32, nearest: NDArray[np.int32], unit: bool) -> Float64:
    """Sum the residuals of descriptors from their words, scaled to unit length if ``unit``.

    Returns
    -------
    ndarray of shape (n_words, 1 + n_features)
        For each word, the number of its descriptors and the sum of their residuals.
    """
    features = x.shape[1]
    sums = np.zeros((len(words), 1 + features))
    for i in range(len(x)):
        word = nearest[i]
        into, row, origin = sums[word], x[i], words[word]
        share = 1.0
        if unit:
            square = 0.0
            for j in range(features):
                square += (np.float64(row[j]) - origin[j]) ** 2
            share = 1 / np.sqrt(square) if square > 0 else 0.0
        into[0] += 1
        for j in range(features):
            into[1 + j] += share * (np.float64(row[j]) - origin[j])
    return sums
