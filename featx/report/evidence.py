"""What in an image spoke for a linear model's answer, and what against it."""

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


#: Features of no parts of the image, up to which what each added is drawn as a bar.
MOST_BARS = 40


class Cell(NamedTuple):
    """A part of the image, in shares of its height and width."""

    top: float
    left: float
    bottom: float
    right: float


def cells(names: Sequence[str]) -> list[Cell] | None:
    """Tell from the names of features which part of the image each is of; None if not of parts."""
    for pattern in (_BLOCK, _CELL):
        numbers = _numbers(pattern, names)
        if numbers is not None:
            # A block's cells are counted from its first.
            places = numbers.reshape(len(names), -1, 2).sum(axis=1)
            return [_cell(*place, *(places.max(axis=0) + 1)) for place in places]
    parts = _numbers(_PYRAMID, names)
    if parts is None or (parts[:, :2] == 1).all():
        return None
    return [_cell(row, column, rows, columns) for rows, columns, row, column in parts.tolist()]


def _numbers(pattern: re.Pattern[str], names: Sequence[str]) -> NDArray[np.int64] | None:
    """Read the numbers in names, a row for each; None if there are none, or one does not match."""
    found = [pattern.match(name) for name in names]
    if not names or not all(found):
        return None
    return np.array([[int(part) for part in one.groups()] for one in found if one])


def _cell(row: int, column: int, rows: int, columns: int) -> Cell:
    return Cell(row / rows, column / columns, (row + 1) / rows, (column + 1) / columns)


def obstacle(result: Result) -> str:
    """Say why it cannot be drawn what spoke for a recipe's answers; "" where it can."""
    if len(result.attributed):
        return ""
    if result.failures or result.pipeline is None:
        return "not every fold has a classifier"
    if result.unattributed:
        return result.unattributed
    count = len(result.feature_names)
    if result.dimensions * max(2, len(result.confusion)) > MOST_WEIGHTS:
        return f"the weights of {result.dimensions} numbers are too many to be kept"
    if not len(result.weights):
        after = " and ".join(type(step).__name__ for _, step in result.pipeline.steps[1:])
        return f"the scores of {after} are no weighted sums of the features"
    if result.features is None or result.features.shape[1] != count:
        return "the features have no names"
    if count > MOST_BARS and cells(result.feature_names) is None:
        return f"the {count} features are not of parts of the picture"
    return ""


def contributions(comparison: Comparison, result: Result, place: int) -> NDArray[Any]:
    r"""Give what each feature of a tested image added to the score of the answer.

    With the weights of the fold in which the image was tested, :math:`(w_j - \bar w_j) (x_j -
    \bar x_j)`: :math:`\bar w` is the mean of the classes' weights, :math:`\bar x` that of the
    images' features. For two classes, the weights of the first are the negative of the second's.
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
    """Spread contributions over the parts of the image that they are of."""
    drawn = np.zeros((side, side))
    for value, (top, left, bottom, right) in zip(spoke, parts, strict=True):
        rows = slice(round(top * side), max(round(bottom * side), round(top * side) + 1))
        columns = slice(round(left * side), max(round(right * side), round(left * side) + 1))
        there = drawn[rows, columns]
        there += value / max(there.size, 1)
    return drawn
