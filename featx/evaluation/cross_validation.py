"""Cross-validation of a recipe's trainable steps, with costs and attributions."""

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from featx.classifiers.score_sum import ScoreSum
from featx.core.memory import peak_memory
from featx.core.threads import one_thread_inside
from featx.evaluation.shared_features import take
from featx.evaluation.splits import Division
from featx.explanation.attribution import SIDE, attribute, class_weights
from featx.explanation.embedding import evenly, principal_components
from featx.networks.conv_net import ConvNet
from featx.pipeline.fitting import class_scores
from featx.pipeline.stream import Stream

#: Exceptions that fail one fold only; other folds and recipes continue.
FAILURES = (ValueError, ArithmeticError, RuntimeError, MemoryError)
#: Largest number of weights of a linear model that is kept.
MOST_WEIGHTS = 1_000_000
#: Number of images with an attribution map per recipe, and of images in an embedding plot.
EXPLAINED, MAPPED = 5, 240
#: Folds run side by side if the features have at most this many bytes: each fold copies its part.
_SIDE_BY_SIDE = 2**26


@dataclass
class Trial:
    """Results of one recipe over all folds."""

    #: Predicted class indices of shape (repetitions, n); -1 if missing.
    answers: NDArray[np.int64]
    #: Scores of shape (repetitions, n, classes); NaN if missing.
    scores: NDArray[np.float64]
    #: Kind of the scores: "probability" or "score".
    kind: str = "score"
    #: Accuracy per fold; NaN for a failed fold.
    accuracies: list[float] = field(default_factory=list)
    #: Error messages of the failed folds, each with the prefix "Fold <number>: ".
    failures: list[str] = field(default_factory=list)
    #: Number of features of the classifier.
    dimensions: int = 0
    #: CPU seconds to fit, mean over the folds.
    fitting: float = 0.0
    #: CPU seconds per image for features learned in each fold, and for classification.
    features: float = 0.0
    classifying: float = 0.0
    #: Size of the pickled model of the first fold; 0 if it cannot be pickled.
    model_bytes: int = 0
    #: Peak resident memory of the process while a fold was fitted and tested; 0 if unknown.
    peak_bytes: int = 0
    #: Weights of shape (folds, classes or 1, d) and offsets of a linear model of the features, for
    #: the folds of the first repetition; empty for other models.
    weights: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))
    offsets: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    #: For learned features: indices of some images of the first repetition, and their attribution
    #: maps for the predicted class. If there are none, ``unattributed`` holds the reason.
    attributed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    attributions: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, SIDE, SIDE), np.float32)
    )
    unattributed: str = ""
    #: For learned features: indices of some test images of the first fold, and the principal
    #: components of their features.
    mapped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    components: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


def run_folds(
    steps: Sequence[Any],
    features: Any,
    labels: NDArray[Any],
    classes: Sequence[str],
    divisions: Sequence[Division],
    n_jobs: int | None = 1,
    progress: Callable[[int], object] = int,
) -> Trial:
    """Fit and test the steps in each fold, on precomputed features.

    Folds of small features run side by side in ``n_jobs`` threads. Each thread then uses one BLAS
    thread, so that results do not depend on ``n_jobs``.
    """
    record = _Record(features, labels, classes, divisions)
    side_by_side = _run_side_by_side(steps, features)
    clock = time.thread_time if side_by_side else time.process_time

    def run(number: int, division: Division) -> _Fold | Exception:
        progress(number)
        model = make_pipeline(*(clone(step) for step in steps))
        try:
            return _fit_and_test(model, features, labels, division, clock)
        except FAILURES as error:
            return error

    workers = joblib.effective_n_jobs(n_jobs) if side_by_side else 1
    with one_thread_inside if side_by_side else nullcontext():
        for number, fold in enumerate(_in_order(run, divisions, workers), 1):
            if isinstance(fold, Exception):
                record.add_failure(number, fold)
            else:
                record.add(number, fold)
    return record.trial()


def _run_side_by_side(steps: Sequence[Any], features: Any) -> bool:
    """Return whether the folds share the processors.

    Networks, streams and estimators with ``n_jobs`` are multithreaded: their folds run in turn.
    """
    if not isinstance(features, np.ndarray) or features.ndim != 2:
        return False
    if features.nbytes > _SIDE_BY_SIDE:
        return False
    if any(isinstance(step, Stream | ScoreSum | ConvNet) for step in steps):
        return False
    parameters = [item for step in steps for item in step.get_params().items()]
    return all(value in (None, 1) for name, value in parameters if name.endswith("n_jobs"))


def _in_order(
    run: Callable[[int, Division], Any], divisions: Sequence[Division], workers: int
) -> Iterator[Any]:
    numbers = range(1, len(divisions) + 1)
    if workers == 1:
        yield from map(run, numbers, divisions)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(run, numbers, divisions)


@dataclass
class _Fold:
    """Fitted model, predictions and costs of one fold."""

    division: Division
    model: Pipeline
    #: The steps after the learned features, and whether features are learned.
    classifier: Pipeline
    learned: bool
    #: Features of the test images: the input of the classifier.
    vectors: Any
    predicted: NDArray[Any]
    kind: str
    scores: NDArray[np.float64]
    #: CPU seconds to fit, to compute learned features, and to classify.
    fitting: float
    features: float
    classifying: float
    peak_bytes: int


def _fit_and_test(
    model: Pipeline,
    features: Any,
    labels: NDArray[Any],
    division: Division,
    clock: Callable[[], float],
) -> _Fold:
    """Fit a model on the training images of a fold and predict its test images."""
    _, train, test = division
    with peak_memory() as peak:
        started = clock()
        model.fit(take(features, train), labels[train])
        fitted = clock()
        classifier, vectors, learned = _vectors(model, take(features, test))
        transformed = clock() if learned else fitted
        predicted = classifier.predict(vectors)
        classified = clock()
        kind, scores = class_scores(classifier, vectors)
    return _Fold(
        division,
        model,
        classifier,
        learned,
        vectors,
        predicted,
        kind,
        scores,
        fitting=fitted - started,
        features=transformed - fitted,
        classifying=classified - transformed,
        peak_bytes=peak.number or 0,
    )


class _Record:
    """Collects the results of a recipe, fold by fold."""

    def __init__(
        self,
        features: Any,
        labels: NDArray[Any],
        classes: Sequence[str],
        divisions: Sequence[Division],
    ) -> None:
        self._features, self._labels, self._classes = features, labels, classes
        self._divisions = divisions
        repetitions = 1 + max(division.repetition for division in divisions)
        self._trial = Trial(
            np.full((repetitions, len(labels)), -1),
            np.full((repetitions, len(labels), len(classes)), np.nan),
        )
        self._tested = 0
        self._linear: list[tuple[NDArray[np.float64], NDArray[np.float64]] | None] = []

    def add_failure(self, number: int, error: BaseException) -> None:
        """Record the error of a failed fold."""
        reason = " ".join(str(error).split()) or type(error).__name__
        self._trial.failures.append(f"Fold {number}: {reason}")
        self._trial.accuracies.append(float("nan"))

    def add(self, number: int, fold: _Fold) -> None:
        """Record a fold: predictions, costs, and attributions of some images."""
        first_repetition = fold.division.repetition == 0
        self._add_predictions(fold)
        self._add_costs(fold)
        if number == 1:
            self._trial.model_bytes = _size(fold.model)
        if first_repetition and not fold.learned:
            self._linear.append(linear_weights(fold.classifier, len(self._classes)))
        if first_repetition and (fold.learned or isinstance(fold.model[-1], ConvNet)):
            self._add_attributions(number, fold)
        if number == 1 and fold.learned:
            some = evenly(len(fold.division.test), MAPPED)
            self._trial.mapped = fold.division.test[some]
            self._trial.components = principal_components(fold.vectors[some])

    def _add_predictions(self, fold: _Fold) -> None:
        trial, (repetition, _, test) = self._trial, fold.division
        trial.kind = fold.kind
        trial.accuracies.append(float(np.mean(fold.predicted == self._labels[test])))
        trial.answers[repetition, test] = np.searchsorted(self._classes, fold.predicted.astype(str))
        known = np.searchsorted(self._classes, np.asarray(fold.model.classes_, str))
        # A class without training images has probability 0, but no meaningful score.
        trial.scores[repetition, test] = 0.0 if fold.kind == "probability" else np.nan
        trial.scores[repetition, test[:, np.newaxis], known] = fold.scores

    def _add_costs(self, fold: _Fold) -> None:
        trial = self._trial
        self._tested += len(fold.division.test)
        trial.fitting += fold.fitting
        trial.features += fold.features
        trial.classifying += fold.classifying
        trial.dimensions = int(getattr(fold.classifier[-1], "n_features_in_", 0))
        trial.peak_bytes = max(trial.peak_bytes, fold.peak_bytes)

    def _add_attributions(self, number: int, fold: _Fold) -> None:
        trial, test = self._trial, fold.division.test
        folds = sum(division.repetition == 0 for division in self._divisions)
        right = fold.predicted == self._labels[test]
        chosen = _to_explain(fold.scores, right, number, folds)
        answers = np.searchsorted(fold.model.classes_, fold.predicted[chosen]).tolist()
        maps, trial.unattributed = attribute(
            fold.model, take(self._features, test[chosen]), answers
        )
        if len(maps):
            trial.attributed = np.concatenate([trial.attributed, test[chosen]])
            trial.attributions = np.concatenate([trial.attributions, maps])

    def trial(self) -> Trial:
        """Return the collected results, with costs averaged over folds or images."""
        trial = self._trial
        done = len(self._divisions) - len(trial.failures)
        trial.fitting /= max(done, 1)
        trial.features /= max(self._tested, 1)
        trial.classifying /= max(self._tested, 1)
        linear = [found for found in self._linear if found is not None]
        if linear and done == len(self._divisions) and len(linear) == len(self._linear):
            weights, offsets = zip(*linear, strict=True)
            trial.weights = np.stack(weights).astype(np.float32)
            trial.offsets = np.stack(offsets).astype(np.float32)
        return trial


def _to_explain(
    scores: NDArray[np.float64], right: NDArray[np.bool_], fold: int, folds: int
) -> NDArray[np.int64]:
    """Choose test images to explain: the most confident errors, and some correct predictions."""
    second, first = np.sort(scores, axis=1)[:, -2:].T
    surest = np.argsort(second - first, kind="stable")
    mistakes = surest[~right[surest]][: ceil(EXPLAINED // 2 / folds)]
    others = np.flatnonzero(right)
    wanted = ceil((EXPLAINED - EXPLAINED // 2) / folds)
    # Folds pick different indices, so that several classes are covered.
    places = (np.arange(wanted) * folds + fold - 0.5) / (wanted * folds) * len(others)
    return np.concatenate([mistakes, others[np.unique(places.astype(np.int64))[: len(others)]]])


def _vectors(model: Pipeline, features: Any) -> tuple[Pipeline, Any, bool]:
    """Return the classifier, its input vectors, and whether these were learned in the fold."""
    if isinstance(model[0], Stream):
        return model[1:], model[0].transform(features), True
    return model, features, False


def _size(model: Pipeline) -> int:
    try:
        return len(pickle.dumps(model))
    except (pickle.PicklingError, AttributeError, TypeError):  # such as one with a lambda
        return 0


def linear_weights(
    classifier: Pipeline, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the weights and offsets of scores that are linear in the features.

    Supports a linear model, alone or after `StandardScaler`. Returns None for other classifiers.
    """
    *before, last = (step for _, step in classifier.steps)
    weights, rows = class_weights(last), 1 if classes == 2 else classes
    if weights is None or len(weights) != rows:
        return None
    if weights.size > MOST_WEIGHTS or not all(type(step) is StandardScaler for step in before):
        return None
    offsets = np.broadcast_to(last.intercept_, len(weights)).astype(np.float64)
    for scaler in reversed(before):
        scale = 1.0 if scaler.scale_ is None else scaler.scale_
        mean = scaler.mean_ if scaler.with_mean else 0.0
        weights = weights / scale
        offsets = offsets - (weights * mean).sum(axis=1)
    return weights, offsets


@dataclass
class LearningCurve:
    """Accuracy as a function of the number of training images, averaged over the folds."""

    images: list[float]
    accuracy: list[float]
    #: Standard deviation over the folds.
    deviation: list[float]


def learning_curve(
    steps: Sequence[Any],
    features: Any,
    labels: NDArray[Any],
    divisions: Sequence[Division],
    random_state: int,
    shares: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.0),
) -> LearningCurve:
    """Compute a learning curve: fit on growing stratified subsets of each training set.

    The test images are the same for all subsets.
    """
    curve = LearningCurve([], [], [])
    for share in shares:
        counts, accuracies = [], []
        for number, (_, train, test) in enumerate(divisions):
            rng = np.random.default_rng([random_state, number])
            # The same order for every share: the subsets are nested.
            order = rng.permutation(train)
            rank = np.empty(len(order))
            for name in set(labels[order].tolist()):
                own = np.flatnonzero(labels[order] == name)
                rank[own] = np.arange(len(own)) / len(own)
            chosen = np.sort(order[rank < share])
            model = make_pipeline(*(clone(step) for step in steps))
            try:
                model.fit(take(features, chosen), labels[chosen])
                predicted = model.predict(take(features, test))
            except FAILURES:
                continue  # such as too few images for a codebook
            counts.append(len(chosen))
            accuracies.append(np.mean(predicted == labels[test]))
        if accuracies:
            curve.images.append(float(np.mean(counts)))
            curve.accuracy.append(float(np.mean(accuracies)))
            curve.deviation.append(float(np.std(accuracies)))
    return curve
