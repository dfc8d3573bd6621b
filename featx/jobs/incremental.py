"""Out-of-core fitting of estimators, for vectors that exceed the memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from featx.pipeline.graph import learns

#: Returns the vectors at the given indices as an array.
Vectors = Callable[[NDArray[np.int64]], Any]

# Bytes of the rows in memory, at 4 bytes per value. Steps without partial_fit, such as PCA, are
# fitted to a sample of this size.
_BYTES = 2**28
# Minimum number of passes over all rows for classifiers trained by gradient descent, and the
# number of steps to reach: scikit-learn's guide recommends a million.
_PASSES, _STEPS = 5, 10**6
_BLOCK = 128  # consecutive rows that are shuffled as one


def fit_in_pieces(
    steps: Sequence[Any],
    vectors: Vectors,
    labels: NDArray[Any],
    dimensions: int,
    random_state: int = 0,
) -> list[Any]:
    """Fit steps whose last one is a classifier with ``partial_fit``.

    Earlier steps with ``partial_fit``, such as StandardScaler, are fitted to all rows; other
    trainable steps, such as PCA, to a seeded sample. The classifier is fitted to all rows in
    random order, in several passes if it is trained by gradient descent.

    Parameters
    ----------
    steps : list of estimators
        The steps, which are not modified.
    vectors : callable
        Returns the vectors at increasing indices.
    labels : ndarray of shape (n,)
        The class of each row.
    dimensions : int
        Length of a vector.
    random_state : int
        Random seed for the order and the sample.

    Returns
    -------
    list of estimators
        The fitted steps.
    """
    rng = np.random.default_rng(random_state)
    count = max(1, _BYTES // (4 * dimensions))
    fitted: list[Any] = []

    def pieces(order: NDArray[np.int64]) -> Iterator[tuple[Any, NDArray[Any]]]:
        for start in range(0, len(order), count):
            positions = order[start : start + count]
            yield _through(fitted, vectors(positions)), labels[positions]

    inorder = np.arange(len(labels))
    for step in map(clone, steps[:-1]):
        if hasattr(step, "partial_fit"):
            for piece, known in pieces(inorder):
                step.partial_fit(piece, known)
        else:
            most = count if learns(step) else 1
            drawn = np.sort(rng.choice(len(labels), min(most, len(labels)), replace=False))
            ((piece, known),) = pieces(drawn)
            step.fit(piece, known)
        fitted.append(step)
    classifier = clone(steps[-1])
    for _ in range(_passes(classifier, len(labels))):
        for piece, known in pieces(_mixed(len(labels), count, rng)):
            shuffled = rng.permutation(len(known))
            classifier.partial_fit(piece[shuffled], known[shuffled], classes=np.unique(labels))
    return [*fitted, classifier]


def _through(steps: list[Any], vectors: Any) -> Any:
    for step in steps:
        vectors = step.transform(vectors)
    return vectors


def _passes(classifier: Any, rows: int) -> int:
    most = getattr(classifier, "max_iter", 1)
    return min(most, max(_PASSES, -(-_STEPS // rows)))


def _mixed(rows: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Shuffle rows in blocks, and sort each piece of ``count`` rows.

    Rows are often sorted by class. Consecutive rows of a store are read faster together.
    """
    blocks = np.array_split(np.arange(rows), max(1, rows // _BLOCK))
    order = np.concatenate([blocks[number] for number in rng.permutation(len(blocks))])
    for start in range(0, rows, count):
        order[start : start + count].sort()
    return order
