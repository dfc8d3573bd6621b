import time
from threading import Lock

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from featx import ConvNet, ScoreSum
from featx.evaluation.cross_validation import (
    _run_side_by_side,
    _to_explain,
    learning_curve,
    linear_weights,
    run_folds,
)
from featx.evaluation.splits import cross_validation


def drawn(classes=2, count=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.array([*"abcdefg"])[np.arange(count) % classes]
    features = rng.normal(size=(count, 4)).astype(np.float32)
    features[:, 0] += np.arange(count) % classes
    return features, labels, cross_validation(labels, np.arange(count), 3, 2, 0)


class Failing(ClassifierMixin, BaseEstimator):
    """Classifier that fails to fit without the image with the largest first feature."""

    def __init__(self, limit=0.0, error=ValueError):
        self.limit = limit
        self.error = error

    def fit(self, X, y):
        if not (X[:, 0] >= self.limit).any():
            raise self.error("the largest\nis missing")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("error", [ValueError, ZeroDivisionError, RuntimeError, MemoryError])
def test_a_fold_that_fails(error):
    features, labels, divisions = drawn()
    trial = run_folds(
        [Failing(features[:, 0].max(), error)], features, labels, ["a", "b"], divisions
    )
    failed = [i for i, one in enumerate(divisions) if features[:, 0].argmax() in one.test]
    assert trial.failures == [f"Fold {i + 1}: the largest is missing" for i in failed]
    for number, (repetition, _, test) in enumerate(divisions):
        assert np.isnan(trial.accuracies[number]) == (number in failed)
        assert (trial.answers[repetition, test] == (-1 if number in failed else 0)).all()


def test_predictions_and_scores():
    features, labels, divisions = drawn(3)
    steps = [StandardScaler(), GaussianNB()]
    trial = run_folds(steps, features, labels, ["a", "b", "c"], divisions)
    for number, (repetition, train, test) in enumerate(divisions):
        model = make_pipeline(*steps).fit(features[train], labels[train])
        predicted = model.predict(features[test])
        assert np.array([*"abc"])[trial.answers[repetition, test]].tolist() == predicted.tolist()
        chances = model.predict_proba(features[test])
        np.testing.assert_allclose(trial.scores[repetition, test], chances, atol=1e-12)
        assert trial.accuracies[number] == np.mean(predicted == labels[test])
    assert trial.kind == "probability"
    assert trial.failures == []
    assert trial.dimensions == 4
    assert trial.model_bytes > 100
    assert trial.weights.shape == (0, 0, 0)


def test_folds_side_by_side_equal_folds_one_by_one():
    features, labels, divisions = drawn(3)
    steps = [StandardScaler(), Counting()]
    Counting.most = 0
    one, two = (
        run_folds(steps, features, labels, ["a", "b", "c"], divisions, n_jobs) for n_jobs in (1, 2)
    )
    assert Counting.most == 2
    np.testing.assert_array_equal(one.answers, two.answers)
    np.testing.assert_array_equal(one.scores, two.scores)
    assert one.accuracies == two.accuracies


class Counting(GaussianNB):
    """Counts how many are fitted at the same time."""

    running, most, lock = 0, 0, Lock()

    def fit(self, X, y):
        with self.lock:
            Counting.running += 1
            Counting.most = max(Counting.most, Counting.running)
        time.sleep(0.05)
        with self.lock:
            Counting.running -= 1
        return super().fit(X, y)


@pytest.mark.parametrize(
    "steps",
    [[RandomForestClassifier(n_jobs=2)], [ScoreSum([])], [ConvNet()]],
    ids=["n_jobs", "score sum", "network"],
)
def test_estimators_with_threads_of_their_own_have_folds_one_by_one(steps):
    assert not _run_side_by_side(steps, np.zeros((3, 2), np.float32))
    assert _run_side_by_side([RandomForestClassifier()], np.zeros((3, 2), np.float32))
    assert not _run_side_by_side([RandomForestClassifier()], np.zeros((3, 2, 2, 1), np.float32))
    assert not _run_side_by_side([RandomForestClassifier()], np.zeros((2**25, 1), np.float32))


def test_a_class_without_training_images():
    features, labels, divisions = drawn()
    labels = labels.astype(object)
    labels[divisions[0].test[0]] = "c"
    labels = labels.astype(str)
    classes = ["a", "b", "c"]
    trial = run_folds([GaussianNB()], features, labels, classes, divisions[:1])
    assert (trial.scores[0, divisions[0].test, 2] == 0).all()
    trial = run_folds([LinearSVC()], features, labels, classes, divisions[:1])
    assert np.isnan(trial.scores[0, divisions[0].test, 2]).all()
    assert not np.isnan(trial.scores[0, divisions[0].test, :2]).any()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("before", [[], [StandardScaler()], [StandardScaler(with_mean=False)]])
@pytest.mark.parametrize("last", [LogisticRegression(), LinearSVC()])
def test_linear_weights(classes, before, last):
    features, labels, _ = drawn(classes)
    model = make_pipeline(*before, last).fit(features, labels)
    weights, offsets = linear_weights(model, classes)
    expected = model.decision_function(features).reshape(len(features), -1)
    np.testing.assert_allclose(features @ weights.T + offsets, expected, atol=1e-5)


@pytest.mark.parametrize(
    "steps", [[GaussianNB()], [KNeighborsClassifier()], [MinMaxScaler(), LinearSVC()]]
)
def test_no_linear_weights(steps):
    features, labels, _ = drawn()
    assert linear_weights(make_pipeline(*steps).fit(features, labels), 2) is None


def test_the_weights_of_each_fold_are_kept():
    features, labels, divisions = drawn()
    trial = run_folds([LogisticRegression()], features, labels, ["a", "b"], divisions)
    assert trial.weights.shape == (3, 1, 4)
    for fold, (_, train, _) in enumerate(divisions[:3]):
        model = LogisticRegression().fit(features[train], labels[train])
        np.testing.assert_allclose(trial.weights[fold], model.coef_, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(trial.offsets[fold], model.intercept_, rtol=1e-4, atol=1e-6)


def test_a_model_that_cannot_be_pickled():
    features, labels, divisions = drawn()
    steps = [Failing(limit=-9)]
    steps[0].error = lambda text: ValueError(text)
    trial = run_folds(steps, features, labels, ["a", "b"], divisions)
    assert trial.model_bytes == 0
    assert trial.failures == []


def test_learning_curve():
    features, labels, divisions = drawn(count=90)
    curve = learning_curve([GaussianNB()], features, labels, divisions[:3], random_state=0)
    assert curve.images == [6, 12, 24, 42, 60]
    whole = [
        np.mean(GaussianNB().fit(features[a], labels[a]).predict(features[b]) == labels[b])
        for _, a, b in divisions[:3]
    ]
    assert curve.accuracy[-1] == pytest.approx(np.mean(whole))
    assert curve.deviation[-1] == pytest.approx(np.std(whole))
    again = learning_curve([GaussianNB()], features, labels, divisions[:3], random_state=0)
    assert again == curve


def test_a_learning_curve_omits_failed_fits():
    features, labels, divisions = drawn(count=90)
    limit = np.sort(features[:, 0])[-3]
    curve = learning_curve([Failing(limit)], features, labels, divisions[:3], random_state=0)
    assert 0 < len(curve.images) <= 5
    nothing = learning_curve([Failing(99)], features, labels, divisions[:3], random_state=0)
    assert nothing.images == nothing.accuracy == []


def test_the_majority_class():
    _, labels, divisions = drawn()
    nothing = np.zeros((60, 0), np.float32)
    trial = run_folds([DummyClassifier(strategy="prior")], nothing, labels, ["a", "b"], divisions)
    assert trial.dimensions == 0
    np.testing.assert_allclose(trial.scores, 0.5, atol=0.02)


def test_the_most_confident_error_and_all_classes_are_explained():
    scores = np.stack([np.arange(20.0), np.zeros(20)], axis=1)
    right = np.arange(20) % 4 > 0
    found = [_to_explain(scores, right, fold, 5) for fold in (1, 2, 3, 4, 5)]
    assert [one.tolist() for one in found] == [[16, 2], [16, 6], [16, 10], [16, 14], [16, 18]]
    assert _to_explain(scores, right, 1, 1).tolist() == [16, 12, 3, 10, 17]
    assert _to_explain(scores[:1], np.array([True]), 1, 1).tolist() == [0]
    assert _to_explain(scores[:0], right[:0], 1, 1).tolist() == []
