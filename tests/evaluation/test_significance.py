from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.naive_bayes import GaussianNB
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from featx.evaluation.significance import (
    BETTER,
    UNDECIDED,
    WORSE,
    bootstrap_interval,
    corrected_t_test,
    holm,
    mcnemar_test,
    verdicts,
    wilson_interval,
)

p_values = st.floats(0, 1)


@given(count=st.integers(1, 5000), share=st.floats(0, 1))
def test_wilson_equals_statsmodels(count, share):
    right = round(share * count)
    low, high = wilson_interval(right / count, count)
    expected = proportion_confint(right, count, alpha=0.05, method="wilson")
    assert (low, high) == pytest.approx(expected, abs=1e-12)
    assert 0 <= low <= right / count <= high <= 1


def test_wilson_of_a_mean_over_repetitions():
    assert wilson_interval(0.875, 2.0) == pytest.approx(
        proportion_confint(1.75, 2, alpha=0.05, method="wilson"), abs=1e-12
    )


def test_bootstrap_equals_scipy():
    values = np.random.default_rng(1).normal(size=60)
    found = bootstrap_interval(lambda drawn: values[drawn].mean(axis=1), 60, 500, random_state=3)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=500, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_bootstrap_in_batches_and_with_undefined_resamples(monkeypatch):
    values = np.arange(30.0)

    def statistic(drawn):
        assert drawn.shape in ((2, 30), (1, 30))
        means = values[drawn].mean(axis=1)
        return np.where(means > 15, np.nan, means)

    monkeypatch.setattr("featx.evaluation.significance._ENTRIES", 60)
    low, high = bootstrap_interval(statistic, 30, 201)
    assert 5 < low < high <= 15
    nothing = bootstrap_interval(lambda drawn: np.full(len(drawn), np.nan), 30, 200)
    assert np.isnan(nothing).all()


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_mcnemar_equals_statsmodels(pairs):
    one, other = np.array(pairs).T
    table = [[np.sum(one & other), np.sum(one & ~other)], [np.sum(~one & other), 0]]
    expected = mcnemar(table, exact=True).pvalue if (one != other).any() else 1
    assert mcnemar_test(one, other) == pytest.approx(expected, abs=1e-9)
    assert mcnemar_test(other, one) == mcnemar_test(one, other)


def test_corrected_t_equals_the_formula():
    rng = np.random.default_rng(0)
    for folds, tested, fitted in ((5, 20, 80), (10, 7, 63), (15, 40.5, 81)):
        one, other = rng.random(folds), rng.random(folds)
        mean = sum(one - other) / folds
        variance = sum((a - b - mean) ** 2 for a, b in zip(one, other, strict=True)) / (folds - 1)
        t = mean / sqrt((1 / folds + tested / fitted) * variance)
        expected = 2 * (1 - stats.t.cdf(abs(t), folds - 1))
        assert corrected_t_test(one, other, tested, fitted) == pytest.approx(expected, abs=1e-9)


def test_corrected_t_equals_the_paired_t_test_without_correction():
    rng = np.random.default_rng(2)
    one, other = rng.random((2, 8))
    expected = stats.ttest_rel(one, other).pvalue
    assert corrected_t_test(one, other, 0, 1) == pytest.approx(expected, abs=1e-12)


def test_corrected_t_of_equal_differences():
    assert corrected_t_test([0.9, 0.8], [0.9, 0.8], 1, 1) == 1
    assert corrected_t_test([0.9, 0.8, 0.7], [0.7, 0.6, 0.5], 1, 2) == 0


@settings(max_examples=25)
@given(st.lists(p_values, min_size=1, max_size=30))
def test_holm_equals_statsmodels(found):
    assert holm(found) == pytest.approx(multipletests(found, method="holm")[1].tolist(), abs=1e-12)


def test_holm_of_nothing():
    assert holm([]) == []


class TestVerdicts:
    def right(self, *shares):
        return [np.arange(100) < share for share in shares]

    def test_with_folds(self):
        folds = [[0.9, 0.91, 0.9, 0.92, 0.89], [0.6, 0.61, 0.59, 0.6, 0.6], [0.9] * 5]
        right = self.right(90, 60, 88)
        said = verdicts(["a", "b", "c"], right, folds, 20, 80)
        assert {pair: verdict for pair, (verdict, _) in said.items()} == {
            ("a", "b"): BETTER,
            ("a", "c"): UNDECIDED,
            ("b", "c"): WORSE,
        }
        pairs = [(0, 1), (0, 2), (1, 2)]
        exact = [mcnemar_test(right[a], right[b]) for a, b in pairs]
        over_folds = [corrected_t_test(folds[a], folds[b], 20, 80) for a, b in pairs]
        tests = [exact, holm(exact), over_folds, holm(over_folds)]
        names = ["mcnemar", "mcnemar_holm", "corrected_t", "corrected_t_holm"]
        for (_, found), p_values in zip(said.values(), zip(*tests, strict=True), strict=True):
            assert found == dict(zip(names, p_values, strict=True))

    def test_both_tests_must_be_significant(self):
        uneven = [[1.0, 0.2, 1.0, 0.9, 0.9], [0.2, 0.9, 0.8, 0.9, 0.9]]
        ((verdict, found),) = verdicts(["a", "b"], self.right(90, 60), uneven, 20, 80).values()
        assert found["mcnemar"] < 0.05 < found["corrected_t"]
        assert verdict == UNDECIDED

    def test_without_folds(self):
        ((verdict, found),) = verdicts(["a", "b"], self.right(60, 90), [[], []], 20, 80).values()
        assert verdict == WORSE
        assert list(found) == ["mcnemar", "mcnemar_holm"]

    def test_one_recipe(self):
        assert verdicts(["a"], self.right(60), [[]], 20, 80) == {}


def equal_recipes(rng, count=100, folds=5):
    """Simulate two equally accurate recipes with independent noise."""
    labels = rng.permutation(np.arange(count) % 2)
    place = rng.permutation(np.arange(count) % folds)
    right, accuracies = [], []
    for _ in range(2):
        features = labels[:, np.newaxis] + rng.normal(scale=0.8, size=(count, 2))
        predicted = np.empty(count, int)
        for fold in range(folds):
            model = GaussianNB().fit(features[place != fold], labels[place != fold])
            predicted[place == fold] = model.predict(features[place == fold])
        right.append(predicted == labels)
        accuracies.append([right[-1][place == fold].mean() for fold in range(folds)])
    return right, accuracies


def test_false_positives():
    # benchmarks/false_alarms.py repeats this 1,000 times.
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(60):
        right, accuracies = equal_recipes(rng)
        ((verdict, _),) = verdicts(["a", "b"], right, accuracies, 20, 80).values()
        alarms += verdict != UNDECIDED
    assert alarms <= 3
