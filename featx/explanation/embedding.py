"""Vectors brought to two dimensions, so that one can see which of them are alike."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import KernelPCA
from sklearn.manifold import TSNE

from featx.core.threads import one_thread_inside

_COMPONENTS = 30


def principal_components(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Give vectors (n, d) as their 30 principal components, or as many as there are.

    They come from the vectors' inner products: there are few of them, of very many entries.
    """
    count = min(_COMPONENTS, len(vectors))
    with one_thread_inside:  # so that a map is the same on every machine
        pca = KernelPCA(count, kernel="linear", eigen_solver="dense", remove_zero_eig=True)
        components: NDArray[np.float32] = pca.fit_transform(vectors).astype(np.float32)
    return components


def flattened(components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring points to the unit square with t-SNE, like ones near each other."""
    if components.shape[1] == 0 or len(components) < 3:
        return np.full((len(components), 2), 0.5, np.float32)  # all are alike
    perplexity = min(30.0, (len(components) - 1) / 3)
    with one_thread_inside:  # for so few, threads cost more than they give
        tsne = TSNE(perplexity=perplexity, init="random", random_state=0)
        flat = tsne.fit_transform(components)
    low, high = flat.min(axis=0), flat.max(axis=0)
    places: NDArray[np.float32] = (flat - low) / np.where(high > low, high - low, 1)
    return places


def evenly(count: int, wanted: int) -> NDArray[np.int64]:
    """Choose so many of the positions up to ``count``, evenly, or all if there are no more."""
    return np.linspace(0, count - 1, min(count, max(wanted, 0))).astype(np.int64)
