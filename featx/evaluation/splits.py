"""How images are divided into those to fit on and those to test on."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from featx.core.warning_filters import IgnoredWarnings
from featx.evaluation.significance import wilson_interval

Positions = NDArray[np.int64]
#: Images of a class, below which its own accuracy says little.
FEW = 30
_LISTED = 5  # classes that are remarked on one by one
# `remarks` lists the classes that are smaller than the number of folds.
_small_classes = IgnoredWarnings(UserWarning, message="The least populated class")


class Division(NamedTuple):
    """The positions of the images on which to fit, and on which to test."""

    repetition: int
    train: Positions
    test: Positions


def different(labels: NDArray[Any], groups: Positions) -> Counter[str]:
    """Count the different images of each class: copies count once."""
    return Counter(label for label, _ in set(zip(labels.tolist(), groups.tolist(), strict=True)))


def cross_validation(
    labels: NDArray[Any], groups: Positions, folds: int, repeats: int, random_state: int
) -> list[Division]:
    """Divide images into stratified folds, several times; each image is tested on once in each.

    Images of one group stay in one fold. Repetition ``r`` is drawn from ``random_state + r``.
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
    """Say of which classes there are too few images for what is claimed.

    Parameters
    ----------
    labels : ndarray of str of shape (n,)
        The classes of the images that are tested on.
    groups : ndarray of int of shape (n,)
        The same number for all copies of a picture.
    folds : int, optional
        The number of folds; None where there is a test set.
    """
    counts = sorted(different(labels, groups).items(), key=lambda item: (item[1], item[0]))
    said = []
    for name, count in counts[:_LISTED]:
        images = "1 image" if count == 1 else f"{count} different images"
        if folds is not None and count == 1:
            said.append(
                f"Class {name!r} has {images}: it is never fitted on when it is tested on, so that "
                "no recipe can be right about it."
            )
        elif folds is not None and count < folds:
            said.append(
                f"Class {name!r} has {images}, fewer than the {folds} folds: in some of them it is "
                "not tested on."
            )
        elif count < FEW:
            low, high = wilson_interval(0.5, count)
            said.append(
                f"Class {name!r} has {images}: its own accuracy is known to "
                f"{50 * (high - low):.0f} points either way, at worst."
            )
    more = sum(count < FEW for _, count in counts[_LISTED:])
    if more:
        said.append(f"{more} more classes have fewer than {FEW} different images.")
    return said
