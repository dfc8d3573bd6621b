"""Cross-validation splits of images, and warnings about small classes."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from featx.core.warning_filters import IgnoredWarnings
from featx.evaluation.significance import wilson_interval

Positions = NDArray[np.int64]
#: Classes with fewer distinct images get a remark: their recall is too uncertain.
FEW = 30
_LISTED = 5  # number of classes with their own remark
# `remarks` lists the classes that are smaller than the number of folds.
_small_classes = IgnoredWarnings(UserWarning, message="The least populated class")


class Division(NamedTuple):
    """One split: the indices of the training and the test images."""

    repetition: int
    train: Positions
    test: Positions


def different(labels: NDArray[Any], groups: Positions) -> Counter[str]:
    """Count the distinct images per class: each group of duplicates counts once."""
    return Counter(label for label, _ in set(zip(labels.tolist(), groups.tolist(), strict=True)))


def cross_validation(
    labels: NDArray[Any], groups: Positions, folds: int, repeats: int, random_state: int
) -> list[Division]:
    """Return the splits of repeated stratified group k-fold cross-validation.

    Each image is tested once per repetition. Images of the same group share a fold. Repetition
    ``r`` uses the random seed ``random_state + r``.
    """
    divisions = []
    for repetition in range(repeats):
        divider = StratifiedGroupKFold(folds, shuffle=True, random_state=random_state + repetition)
        with _small_classes:
            for train, test in divider.split(labels, labels, groups):
                if len(test):
                    divisions.append(Division(repetition, train, test))
    return divisions


def remarks(labels: NDArray[Any], groups: Positions, folds: int | None) -> list[str]:
    """Return a warning for each class with too few distinct images.

    Parameters
    ----------
    labels : ndarray of str of shape (n,)
        Classes of the test images.
    groups : ndarray of int of shape (n,)
        Group index of each image. Duplicates share a group.
    folds : int, optional
        Number of folds. None for a separate test set.
    """
    counts = sorted(different(labels, groups).items(), key=lambda item: (item[1], item[0]))
    said = []
    for name, count in counts[:_LISTED]:
        images = "1 distinct image" if count == 1 else f"{count} distinct images"
        if folds is not None and count == 1:
            said.append(
                f"Class {name!r} has {images}: no training image is left when it is tested, so its "
                "recall is 0."
            )
        elif folds is not None and count < folds:
            said.append(
                f"Class {name!r} has {images}, fewer than the {folds} folds: it is missing from "
                "the test set of some folds."
            )
        elif count < FEW:
            low, high = wilson_interval(0.5, count)
            said.append(
                f"Class {name!r} has {images}: its recall is uncertain by up to "
                f"{50 * (high - low):.0f} percentage points (95 % interval)."
            )
    more = sum(count < FEW for _, count in counts[_LISTED:])
    if more:
        said.append(f"{more} more classes have fewer than {FEW} distinct images.")
    return said
