"""Attribution of a linear model's predictions to features and image regions."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx.evaluation.cross_validation import MOST_WEIGHTS
from featx.evaluation.results import Comparison, Result

_BLOCK = re.compile(r"hog_block(\d+)_(\d+)_cell(\d+)_(\d+)_bin\d+$")
_CELL = re.compile(r"hog_cell(\d+)_(\d+)_")
_PYRAMID = re.compile(r".*_(\d+)x(\d+)_(\d+)_(\d+)$")


#: Largest number of features without a position in the image that are drawn as bars.
MOST_BARS = 40


class Cell(NamedTuple):
    """A region of the image, in fractions of its height and width."""

    top: float
    left: float
    bottom: float
    right: float


def cells(names: Sequence[str]) -> list[Cell] | None:
    """Parse the image region of each feature from its name; None if the names have no region."""
    for pattern in (_BLOCK, _CELL):
        numbers = _numbers(pattern, names)
        if numbers is not None:
            # Cell indices are relative to the first cell of the block.
            places = numbers.reshape(len(names), -1, 2).sum(axis=1)
            return [_cell(*place, *(places.max(axis=0) + 1)) for place in places]
    parts = _numbers(_PYRAMID, names)
    if parts is None or (parts[:, :2] == 1).all():
        return None
    return [_cell(row, column, rows, columns) for rows, columns, row, column in parts.tolist()]


def _numbers(pattern: re.Pattern[str], names: Sequence[str]) -> NDArray[np.int64] | None:
    """Parse the numbers in each name; None without names, or if a name does not match."""
    found = [pattern.match(name) for name in names]
    if not names or not all(found):
        return None
    return np.array([[int(part) for part in one.groups()] for one in found if one])


def _cell(row: int, column: int, rows: int, columns: int) -> Cell:
    return Cell(row / rows, column / columns, (row + 1) / rows, (column + 1) / columns)


def obstacle(result: Result) -> str:
    """Return the reason why a recipe's predictions have no attribution; "" if they have."""
    if len(result.attributed):
        return ""
    if result.failures or result.pipeline is None:
        return "not every fold has a fitted classifier"
    if result.unattributed:
        return result.unattributed
    count = len(result.feature_names)
    if result.dimensions * max(2, len(result.confusion)) > MOST_WEIGHTS:
        return f"a linear model of {result.dimensions} features has too many weights to keep"
    if not len(result.weights):
        after = " and ".join(type(step).__name__ for _, step in result.pipeline.steps[1:])
        return f"the scores of {after} are not linear in the features"
    if result.features is None or result.features.shape[1] != count:
        return "the features have no names"
    if count > MOST_BARS and cells(result.feature_names) is None:
        return f"the {count} features have no position in the image"
    return ""


def contributions(comparison: Comparison, result: Result, place: int) -> NDArray[Any]:
    r"""Compute the contribution of each feature of a test image to the predicted class's score.

    The contribution is :math:`(w_j - \bar w_j) (x_j - \bar x_j)`, with the weights :math:`w` of the
    image's test fold, the mean :math:`\bar w` of the classes' weights, and the mean :math:`\bar x`
    of the features over all test images. For two classes, the weights of the first are the negative
    of the second's.
    """
    fold = int(comparison.folds[place]) if len(result.weights) > 1 else 0
    weights = result.weights[fold].astype(np.float64)
    if len(weights) == 1:
        weights = np.concatenate([-weights, weights])
    answer = comparison.classes.index(str(result.predictions[place]))
    vectors = np.asarray(result.features)
    difference = vectors[place] - vectors.mean(axis=0, dtype=np.float64)
    spoke: NDArray[Any] = (weights[answer] - weights.mean(axis=0)) * difference
    return spoke


def heat(spoke: NDArray[Any], parts: Sequence[Cell], side: int = 32) -> NDArray[Any]:
    """Distribute contributions uniformly over their image regions."""
    drawn = np.zeros((side, side))
    for value, (top, left, bottom, right) in zip(spoke, parts, strict=True):
        rows = slice(round(top * side), max(round(bottom * side), round(top * side) + 1))
        columns = slice(round(left * side), max(round(right * side), round(left * side) + 1))
        there = drawn[rows, columns]
        there += value / max(there.size, 1)
    return drawn
