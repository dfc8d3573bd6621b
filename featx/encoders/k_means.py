"""Code books by k-means: fitting words to descriptors, and finding the nearest."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from featx.compiled import compiled

# Descriptors that are worked on at a time: what is computed of them stays in the cache.
_BLOCK = 512


def fit_words(
    x: NDArray[np.float32], n_words: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Fit words by mini-batches of k-means.

    Returns
    -------
    words : ndarray of float32, (n_words, n_features)
    counts : ndarray of shape (n_words,)
        How many descriptors are nearest to each.
    """
    k_means = MiniBatchKMeans(n_words, n_init=1, random_state=seed)
    with warnings.catch_warnings():
        # Descriptors of constant images are all alike: their words are, too.
        warnings.simplefilter("ignore", ConvergenceWarning)
        k_means.fit(x)
    words = np.ascontiguousarray(k_means.cluster_centers_, np.float32)
    return words, np.bincount(k_means.labels_, minlength=n_words).astype(np.float64)


def nearest_words(x: NDArray[np.float32], words: NDArray[np.float32]) -> NDArray[np.int32]:
    """Find the nearest word to each descriptor; of several equally near, the first."""
    nearest = np.empty(len(x), np.int32)
    for start in range(0, len(x), _BLOCK):
        part = slice(start, start + _BLOCK)
        _argmax(nearness(x[part], words), nearest[part])
    return nearest


def nearness(x: NDArray[np.float32], words: NDArray[np.float32]) -> NDArray[np.float32]:
    r"""Compute :math:`-\|x - w\|^2 / 2` but for what is the same for all words.

    Returns
    -------
    ndarray of float32, (n_words, n)
    """
    # Nearness is the same wherever the origin is; near the words, little is cancelled.
    origin = words.mean(axis=0)
    centred = words - origin
    halves = 0.5 * np.einsum("wj,wj->w", centred, centred, dtype=np.float64)
    scores: NDArray[np.float32] = centred @ (x - origin).T
    scores -= halves.astype(np.float32)[:, np.newaxis]
    return scores


@compiled
def _argmax(scores: NDArray[np.float32], best: NDArray[np.int32]) -> None:
    """Find the row of the largest score in each column."""
    rows, columns = scores.shape
    highest = scores[0].copy()
    best[:] = 0
    for row in range(1, rows):
        for i in range(columns):
            better = scores[row, i] > highest[i]
            highest[i] = scores[row, i] if better else highest[i]
            best[i] = row if better else best[i]
