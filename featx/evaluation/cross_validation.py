"""What a recipe's steps that learn do in each fold: fitted, tested, timed."""

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from featx.core.memory import peak_memory
from featx.evaluation.shared_features import take
from featx.evaluation.splits import Division
from featx.explanation.attribution import SIDE, attribute, class_weights
from featx.explanation.embedding import evenly, principal_components
from featx.networks.conv_net import ConvNet
from featx.pipeline.fitting import class_scores
from featx.pipeline.stream import Stream

#: What may go wrong in a fold, and leaves the other folds and recipes as they are.
FAILURES = (ValueError, ArithmeticError, RuntimeError, MemoryError)
#: The weights of a linear model are kept if they are no more.
MOST_WEIGHTS = 1_000_000
#: Images of a recipe of which it is drawn what spoke for and against, and images on a map.
EXPLAINED, MAPPED = 5, 240


@dataclass
class Trial:
    """How a recipe did in the folds."""

    #: The predicted classes by their positions in the list of classes; -1 where there is none.
    answers: NDArray[np.int64]
    #: For each repetition, image and class a number; NaN where there is none.
    scores: NDArray[np.float64]
    #: What the scores are: "probability" or "score".
    kind: str = "score"
    #: The accuracy in each fold, NaN where it failed.
    accuracies: list[float] = field(default_factory=list)
    #: "Fold 3: " and what went wrong.
    failures: list[str] = field(default_factory=list)
    #: The length of the vector that the classifier takes.
    dimensions: int = 0
    #: Processor seconds to fit, in the mean of the folds.
    fitting: float = 0.0
    #: Processor seconds an image for features that are learned in each fold, and to classify.
    features: float = 0.0
    classifying: float = 0.0
    #: Of the first fold, pickled; 0 where it cannot be.
    model_bytes: int = 0
    #: The process's most resident memory while a fold was fitted and tested; 0 if not known.
    peak_bytes: int = 0
    #: For each fold of the first repetition, the weights (classes or 1, d) and offsets of a linear
    #: model on the features; empty for others.
    weights: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))
    offsets: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    #: Of some images of the first repetition, by their positions, the parts that spoke for and
    #: against the answer, where features are learned; else why there are none.
    attributed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    attributions: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, SIDE, SIDE), np.float32)
    )
    unattributed: str = ""
    #: Of some images of the first fold, by their positions, the principal components of the
    #: vectors that were learned from the others.
    mapped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    components: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


def run_folds(
    steps: Sequence[Any],
    features: Any,
    labels: NDArray[Any],
    classes: Sequence[str],
    divisions: Sequence[Division],
    progress: Callable[[int], object] = int,
) -> Trial:
    """Fit and test steps in each fold, on features that are there already."""
    record = _Record(features, labels, classes, divisions)
    for number, division in enumerate(divisions, 1):
        progress(number)
        model = make_pipeline(*(clone(step) for step in steps))
        try:
            fold = _fit_and_test(model, features, labels, division)
        except FAILURES as error:
            record.add_failure(number, error)
        else:
            record.add(number, fold)
    return record.trial()


@dataclass
class _Fold:
    """A model that is fitted and tested in one fold, and what that took."""

    division: Division
    model: Pipeline
    #: The part of the model after features that are learned, and whether there are such.
    classifier: Pipeline
    learned: bool
    #: What the classifier makes of the tested images.
    vectors: Any
    predicted: NDArray[Any]
    kind: str
    scores: NDArray[np.float64]
    #: Processor seconds to fit, to compute features that are learned, and to classify.
    fitting: float
    features: float
    classifying: float
    peak_bytes: int


def _fit_and_test(
    model: Pipeline, features: Any, labels: NDArray[Any], division: Division
) -> _Fold:
    """Fit a model on the images of a fold for training, and test it on the others."""
    _, train, test = division
    with peak_memory() as peak:
        started = time.process_time()
        model.fit(take(features, train), labels[train])
        fitted = time.process_time()
        classifier, vectors, learned = _vectors(model, take(features, test))
        transformed = time.process_time() if learned else fitted
        predicted = classifier.predict(vectors)
        classified = time.process_time()
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
    """Records fold by fold how a recipe did."""

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
        """Record that a fold failed, and why."""
        reason = " ".join(str(error).split()) or type(error).__name__
        self._trial.failures.append(f"Fold {number}: {reason}")
        self._trial.accuracies.append(float("nan"))

    def add(self, number: int, fold: _Fold) -> None:
        """Record a fold: predictions and costs of all, what explains them of some."""
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
        # A class that was not fitted on has no probability, but its score means nothing.
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
        """Return what was recorded, with costs in the mean of the folds, or of the images."""
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
    """Choose tested images to explain: the surest mistakes, and some that are right."""
    second, first = np.sort(scores, axis=1)[:, -2:].T
    surest = np.argsort(second - first, kind="stable")
    mistakes = surest[~right[surest]][: ceil(EXPLAINED // 2 / folds)]
    others = np.flatnonzero(right)
    wanted = ceil((EXPLAINED - EXPLAINED // 2) / folds)
    # Each fold's at other places in the order, so that they are of several classes.
    places = (np.arange(wanted) * folds + fold - 0.5) / (wanted * folds) * len(others)
    return np.concatenate([mistakes, others[np.unique(places.astype(np.int64))[: len(others)]]])


def _vectors(model: Pipeline, features: Any) -> tuple[Pipeline, Any, bool]:
    """Give the classifier, its vectors, and whether these were made by what learned in the fold."""
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
    """Give the weights and offsets with which the scores are linear in the vectors.

    That is where a linear model stands alone or after standardization; None for others.
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
    """The accuracy by the number of images that were fitted on, in the mean of the folds."""

    images: list[float]
    accuracy: list[float]
    #: Standard deviations over the folds.
    deviation: list[float]


def learning_curve(
    steps: Sequence[Any],
    features: Any,
    labels: NDArray[Any],
    divisions: Sequence[Division],
    random_state: int,
    shares: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.0),
) -> LearningCurve:
    """Fit on a growing share of each fold's images, class by class, and test on the same."""
    curve = LearningCurve([], [], [])
    for share in shares:
        counts, accuracies = [], []
        for number, (_, train, test) in enumerate(divisions):
            rng = np.random.default_rng([random_state, number])
            # The same order for every share: a larger one holds the smaller.
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
                continue  # such as too few images for a code book
            counts.append(len(chosen))
            accuracies.append(np.mean(predicted == labels[test]))
        if accuracies:
            curve.images.append(float(np.mean(counts)))
            curve.accuracy.append(float(np.mean(accuracies)))
            curve.deviation.append(float(np.std(accuracies)))
    return curve
