"""Two-dimensional embedding of feature vectors."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import KernelPCA
from sklearn.manifold import TSNE

from featx.core.threads import one_thread_inside

_COMPONENTS = 30


def principal_components(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Compute the first 30 principal components of vectors (n, d), or all if fewer exist.

    The computation uses the matrix of inner products, which is small if n is far below d.
    """
    count = min(_COMPONENTS, len(vectors))
    with one_thread_inside:  # for equal results on every machine
        pca = KernelPCA(count, kernel="linear", eigen_solver="dense", remove_zero_eig=True)
        components: NDArray[np.float32] = pca.fit_transform(vectors).astype(np.float32)
    return components


def flattened(components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embed points in the unit square by t-SNE."""
    if components.shape[1] == 0 or len(components) < 3:
        return np.full((len(components), 2), 0.5, np.float32)  # no structure to embed
    perplexity = min(30.0, (len(components) - 1) / 3)
    with one_thread_inside:  # faster than several threads for few points
        # After 500 iterations the divergence is within 1 % of that after 1,000.
        tsne = TSNE(perplexity=perplexity, init="random", random_state=0, max_iter=500)
        flat = tsne.fit_transform(components)
    low, high = flat.min(axis=0), flat.max(axis=0)
    places: NDArray[np.float32] = (flat - low) / np.where(high > low, high - low, 1)
    return places


def evenly(count: int, wanted: int) -> NDArray[np.int64]:
    """Select up to ``wanted`` evenly spaced indices below ``count``."""
    return np.linspace(0, count - 1, min(count, max(wanted, 0))).astype(np.int64)
