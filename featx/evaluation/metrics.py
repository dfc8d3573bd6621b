"""Classification metrics with 95 % confidence intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from featx.evaluation.significance import bootstrap_interval, wilson_interval

Codes = NDArray[np.int64]
Scores = NDArray[np.float64]
#: Names of the metrics, in the order of the report.
MEASURES = (
    *("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error"),
    "area_under_curve",
)
_BINS = 10  # confidence bins of the calibration error
#: Lower bound of the probability of the true class, so that the log loss stays finite.
_LEAST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Measure:
    """A metric's value and its 95 % interval."""

    value: float
    low: float
    high: float


def measured(
    truth: Codes, answers: Codes, scores: Scores | None, kind: str | None, random_state: int = 0
) -> dict[str, Measure]:
    r"""Compute classification metrics and their 95 % intervals.

    Parameters
    ----------
    truth : ndarray of int of shape (n,)
        True class index of each image.
    answers : ndarray of int of shape (repetitions, n)
        Predicted class indices.
    scores : ndarray of shape (repetitions, n, classes), optional
        Probability or score of each class.
    kind : {"probability", "score"}, optional
        The kind of ``scores``.
    random_state : int, default=0
        Random seed of the bootstrap.

    Returns
    -------
    dict of str to Measure
        Always ``"accuracy"``, ``"balanced_accuracy"`` (the mean recall of the classes) and
        ``"macro_f1"`` (the mean :math:`F_1` of the classes). For probabilities also ``"log_loss"``,
        the mean of :math:`-\ln p` of the true class, and ``"calibration_error"``, the expected
        calibration error [1]_ over ten equal-width bins of confidence. For two classes with
        probabilities or scores also ``"area_under_curve"``, the area under the ROC curve with the
        second class as the positive class.

    Notes
    -----
    Each value is the mean over the repetitions. The accuracy has a Wilson interval for ``n``
    images. The other metrics have percentile bootstrap intervals from 1,000 resamples of the
    images. The intervals reflect the sampling of images, not the variance of training.

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
    """Count the occurrences of each class per row."""
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
    """Return the area under the ROC curve per row, by the Mann-Whitney U statistic."""
    positive = truth == 1
    ones = positive.sum(axis=1)
    zeros = truth.shape[1] - ones
    ranks = np.where(positive, rankdata(scores, axis=1), 0).sum(axis=1)
    pairs = np.where(ones * zeros == 0, np.nan, ones * zeros)
    area: Scores = (ranks - ones * (ones + 1) / 2) / pairs
    return area


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Return the mean recall over the classes that have images."""
    # scikit-learn's function expects labels, not a confusion matrix, and warns about empty classes.
    counts = confusion.sum(axis=1)
    there = counts > 0
    return float(np.mean(np.diag(confusion)[there] / counts[there]))
