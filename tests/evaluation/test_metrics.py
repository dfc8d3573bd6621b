import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score

from featx.evaluation.metrics import MEASURES, measured
from featx.evaluation.significance import wilson_interval


def drawn(classes, count=60, repetitions=1, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, count)
    chances = rng.dirichlet(np.ones(classes), (repetitions, count))
    chances[:, np.arange(count), truth] += 0.5
    chances /= chances.sum(axis=2, keepdims=True)
    return truth, chances.argmax(axis=2), chances


def calibration_error(truth, chances):
    """Compute the calibration error by the formula of the paper."""
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    total = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence > low) & (confidence <= low + 0.1)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return total / len(truth)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_values_equal_scikit_learn(classes):
    truth, answers, chances = drawn(classes)
    found = measured(truth, answers, chances, "probability")
    expected = {
        "accuracy": np.mean(truth == answers[0]),
        "balanced_accuracy": balanced_accuracy_score(truth, answers[0]),
        "macro_f1": f1_score(truth, answers[0], average="macro"),
        "log_loss": log_loss(truth, chances[0]),
        "calibration_error": calibration_error(truth, chances[0]),
    }
    if classes == 2:
        expected["area_under_curve"] = roc_auc_score(truth, chances[0, :, 1])
    assert list(found) == list(expected)
    assert set(found) <= set(MEASURES)
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9)
        assert found[name].low <= found[name].value <= found[name].high or name == (
            "calibration_error"  # biased away from 0 by the bootstrap
        )


def test_intervals_equal_scipy():
    truth, answers, chances = drawn(2)
    found = measured(truth, answers, chances, "probability", random_state=3)
    assert (found["accuracy"].low, found["accuracy"].high) == wilson_interval(
        found["accuracy"].value, len(truth)
    )
    statistics = {
        "balanced_accuracy": lambda i: balanced_accuracy_score(truth[i], answers[0][i]),
        "macro_f1": lambda i: f1_score(truth[i], answers[0][i], average="macro"),
        "log_loss": lambda i: log_loss(truth[i], chances[0][i]),
        "calibration_error": lambda i: calibration_error(truth[i], chances[0][i]),
        "area_under_curve": lambda i: roc_auc_score(truth[i], chances[0, i, 1]),
    }
    for name, statistic in statistics.items():
        expected = stats.bootstrap(
            (np.arange(len(truth)),),
            statistic,
            vectorized=False,
            n_resamples=1000,
            method="percentile",
            rng=np.random.default_rng(3),
        ).confidence_interval
        interval = found[name].low, found[name].high
        assert interval == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_ties_and_decision_scores():
    truth = np.array([0, 1, 1, 0, 1, 0])
    scores = np.array([[0.2, 0.2, 0.9, -3, 1.5, 0.9]])
    both = np.stack([-scores, scores], axis=2)
    found = measured(truth, (scores > 0).astype(int), both, "score")
    assert list(found) == ["accuracy", "balanced_accuracy", "macro_f1", "area_under_curve"]
    assert found["area_under_curve"].value == pytest.approx(roc_auc_score(truth, scores[0]))


def test_repetitions():
    truth, answers, chances = drawn(3, repetitions=4)
    found = measured(truth, answers, chances, "probability")
    alone = [
        measured(truth, answers[i : i + 1], chances[i : i + 1], "probability") for i in range(4)
    ]
    for name, one in found.items():
        assert one.value == pytest.approx(np.mean([each[name].value for each in alone]), abs=1e-12)
    assert found["accuracy"].low == wilson_interval(np.mean(answers == truth), 60)[0]


def test_confident_errors():
    truth, answers = np.array([0, 1]), np.array([[1, 0]])
    chances = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    found = measured(truth, answers, chances, "probability")
    assert found["log_loss"].value == pytest.approx(-np.log(np.finfo(float).eps))
    assert found["calibration_error"].value == 1
    assert found["accuracy"].value == found["area_under_curve"].value == 0


def test_one_class_and_one_image():
    found = measured(np.ones(1, int), np.ones((1, 1), int), np.array([[[0.3, 0.7]]]), "probability")
    assert "area_under_curve" not in found
    assert found["balanced_accuracy"].value == found["balanced_accuracy"].low == 1
    assert not any(np.isnan([one.value, one.low, one.high]).any() for one in found.values())


def test_two_hundred_classes():
    truth, answers, chances = drawn(200, count=800)
    found = measured(truth, answers, chances, "probability")
    assert found["balanced_accuracy"].value == pytest.approx(
        balanced_accuracy_score(truth, answers[0])
    )
