"""How well a recipe does, in numbers with their intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from featx.evaluation.significance import bootstrap_interval, wilson_interval

Codes = NDArray[np.int64]
Scores = NDArray[np.float64]
#: In the order in which they are shown.
MEASURES = (
    *("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error"),
    "area_under_curve",
)
_BINS = 10  # of confidence
#: The least probability of the right class; logarithms of less are no use.
_LEAST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Measure:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


def measured(
    truth: Codes, answers: Codes, scores: Scores | None, kind: str | None, random_state: int = 0
) -> dict[str, Measure]:
    r"""Measure how well images were classified.

    Parameters
    ----------
    truth : ndarray of int of shape (n,)
        The images' classes, by their positions in the list of classes.
    answers : ndarray of int of shape (repetitions, n)
        The predicted classes.
    scores : ndarray of shape (repetitions, n, classes), optional
        A number for each class.
    kind : {"probability", "score"}, optional
        What ``scores`` are.
    random_state : int, default=0
        What the bootstrap draws from.

    Returns
    -------
    dict of str to Measure
        Always ``"accuracy"``; ``"balanced_accuracy"``, the mean of the classes' accuracies;
        ``"macro_f1"``, the mean of their :math:`F_1`. For probabilities, ``"log_loss"``, the mean
        of :math:`-\ln p` of the right class, and ``"calibration_error"`` [1]_, over ten bins of
        confidence the mean distance of confidence and accuracy. For two classes with probabilities
        or scores, ``"area_under_curve"``, of the second class.

    Notes
    -----
    Each is the mean over the repetitions. The interval of the accuracy is Wilson's for ``n``
    images; the others' are percentiles of a bootstrap of 1,000 draws of the images. An interval
    speaks of other images of this kind, and not of other trainings.

    References
    ----------
    .. [1] C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    accuracy = float(np.mean(answers == truth))
    found = {"accuracy": Measure(accuracy, *wilson_interval(accuracy, len(truth)))}

    def add(name: str, statistic: Callable[[Codes, int], Scores]) -> None:
        def mean(drawn: Codes) -> Scores:
            of_each = [statistic(drawn, repetition) for repetition in range(len(answers))]
            return np.asarray(np.mean(of_each, axis=0), np.float64)

        value = float(mean(np.arange(len(truth))[np.newaxis])[0])
        if not np.isnan(value):
            found[name] = Measure(
                value, *bootstrap_interval(mean, len(truth), random_state=random_state)
            )

    add("balanced_accuracy", lambda drawn, r: _balanced_accuracy(truth[drawn], answers[r][drawn]))
    add("macro_f1", lambda drawn, r: _macro_f1(truth[drawn], answers[r][drawn]))
    if scores is None:
        return found
    if kind == "probability":
        right = np.take_along_axis(scores, truth[np.newaxis, :, np.newaxis], 2)[..., 0]
        losses = -np.log(np.clip(right, _LEAST, 1))
        confidence, correct = scores.max(axis=2), answers == truth
        add("log_loss", lambda drawn, r: losses[r][drawn].mean(axis=1))
        add(
            "calibration_error",
            lambda drawn, r: _calibration_error(confidence[r][drawn], correct[r][drawn]),
        )
    if scores.shape[2] == 2:
        add(
            "area_under_curve",
            lambda drawn, r: _area_under_curve(truth[drawn], scores[r, :, 1][drawn]),
        )
    return found


def _counts(codes: Codes, classes: int, weights: NDArray[np.bool_] | None = None) -> Scores:
    """Count each class in each row."""
    rows = len(codes)
    shifted = codes + classes * np.arange(rows)[:, np.newaxis]
    weight = None if weights is None else weights.ravel()
    counted = np.bincount(shifted.ravel(), weight, rows * classes)
    return counted.reshape(rows, classes).astype(np.float64)


def _mean_where(values: Scores, there: NDArray[np.bool_]) -> Scores:
    mean: Scores = np.where(there, values, 0).sum(axis=1) / there.sum(axis=1)
    return mean


def _balanced_accuracy(truth: Codes, answers: Codes) -> Scores:
    classes = int(max(truth.max(), answers.max())) + 1
    counts, right = _counts(truth, classes), _counts(truth, classes, truth == answers)
    return _mean_where(right / np.maximum(counts, 1), counts > 0)


def _macro_f1(truth: Codes, answers: Codes) -> Scores:
    classes = int(max(truth.max(), answers.max())) + 1
    right = _counts(truth, classes, truth == answers)
    counts = _counts(truth, classes) + _counts(answers, classes)
    return _mean_where(2 * right / np.maximum(counts, 1), counts > 0)


def _calibration_error(confidence: Scores, right: NDArray[np.bool_]) -> Scores:
    bins = np.clip(np.ceil(confidence * _BINS).astype(np.int64) - 1, 0, _BINS - 1)
    rows = len(bins)
    shifted = (bins + _BINS * np.arange(rows)[:, np.newaxis]).ravel()
    gaps = np.bincount(shifted, (right - confidence).ravel(), rows * _BINS).reshape(rows, _BINS)
    error: Scores = np.abs(gaps).sum(axis=1) / bins.shape[1]
    return error


def _area_under_curve(truth: Codes, scores: Scores) -> Scores:
    """Give the share of pairs, one of each class, that the scores put in the right order."""
    positive = truth == 1
    ones = positive.sum(axis=1)
    zeros = truth.shape[1] - ones
    ranks = np.where(positive, rankdata(scores, axis=1), 0).sum(axis=1)
    pairs = np.where(ones * zeros == 0, np.nan, ones * zeros)
    area: Scores = (ranks - ones * (ones + 1) / 2) / pairs
    return area


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Give the mean of the accuracies in each class of which there are images."""
    # scikit-learn's function takes no confusion matrix, and warns where a class has no images.
    counts = confusion.sum(axis=1)
    there = counts > 0
    return float(np.mean(np.diag(confusion)[there] / counts[there]))
