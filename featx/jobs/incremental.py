"""Estimators fitted piece by piece, where the vectors of all images are too many for the memory."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from featx.pipeline.graph import learns

#: Gives the vectors at these positions, in an array.
Vectors = Callable[[NDArray[np.int64]], Any]

# Rows that are in memory at a time, and those from which the steps learn that must see all theirs
# together, such as PCA. A row is here of 4 bytes a number.
_BYTES = 2**28
# Passes over all rows, for classifiers that learn in steps: at least so many, and more where rows
# are few. scikit-learn's guide finds that a million steps will do.
_PASSES, _STEPS = 5, 10**6
_BLOCK = 128  # rows that stay together


def fit_in_pieces(
    steps: Sequence[Any],
    vectors: Vectors,
    labels: NDArray[Any],
    dimensions: int,
    random_state: int = 0,
) -> list[Any]:
    """Fit steps of which the last is a classifier that has ``partial_fit``.

    Steps before it that have ``partial_fit``, such as StandardScaler, see all rows; others that
    learn, such as PCA, are fitted to a seeded sample. The classifier is given all rows in random
    order, and again if it is one that learns in steps.

    Parameters
    ----------
    steps : list of estimators
        The steps; they are not changed.
    vectors : callable
        Gives the vectors at some positions, which increase.
    labels : ndarray of shape (n,)
        The class of each.
    dimensions : int
        The length of a vector.
    random_state : int
        What the order and the sample are drawn from.

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
    """Order rows so that each piece of ``count`` is drawn from all of them, block by block.

    Rows often come class by class; and those of one part of a store are quick to read together.
    """
    blocks = np.array_split(np.arange(rows), max(1, rows // _BLOCK))
    order = np.concatenate([blocks[number] for number in rng.permutation(len(blocks))])
    for start in range(0, rows, count):
        order[start : start + count].sort()
    return order
