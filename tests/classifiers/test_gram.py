import pickle

import numpy as np
import pytest
import skops.io
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from featx import GramLDA, GramSVC

BOTH = [GramSVC, GramLDA]


@parametrize_with_checks([GramSVC(), GramLDA()])
def test_what_scikit_learn_asks_of_estimators(estimator, check):
    check(estimator)


def vectors(classes, count=90, size=2000):
    rng = np.random.default_rng(0)
    labels = np.array(["sea", "city", "wood", "hill"])[rng.integers(0, classes, count)]
    centers = rng.normal(size=(4, size))
    names = sorted(set(labels))
    noise = rng.normal(size=(count, size)) * 6
    x = np.stack([centers[names.index(name)] for name in labels]) + noise
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("C", [0.5, 10.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_it_is_the_linear_machine_of_scikit_learn(classes, C):
    x, y = vectors(classes)
    machine = SVC(C=C, kernel="linear")
    expected = machine if classes == 2 else OneVsRestClassifier(machine)
    expected.fit(x[:60].astype(np.float64), y[:60])
    found = GramSVC(C).fit(x[:60], y[:60])
    np.testing.assert_allclose(
        found.decision_function(x), expected.decision_function(x), rtol=0, atol=2e-3
    )
    assert found.predict(x).tolist() == expected.predict(x).tolist()
    assert found.coef_.dtype == np.float32


@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_it_is_the_analysis_of_scikit_learn_where_vectors_are_short(classes, shrinkage):
    x, y = vectors(classes, size=20)
    expected = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    expected.fit(x[:60].astype(np.float64), y[:60])
    found = GramLDA(shrinkage).fit(x[:60], y[:60])
    np.testing.assert_allclose(
        compared(found.decision_function(x)),
        compared(expected.decision_function(x)),
        rtol=1e-4,
        atol=1e-4,
    )
    assert found.predict(x).tolist() == expected.predict(x).tolist()


def compared(scores):
    """Take away from the scores of several classes what all of them share."""
    return scores if scores.ndim == 1 else scores - scores[:, :1]


@pytest.mark.parametrize("shrinkage", [0.02, 0.1, 1.0])
def test_of_long_vectors_it_is_the_formula_in_the_space_that_they_span(shrinkage):
    x, y = vectors(4)
    train, labels = x[:60].astype(np.float64), y[:60]
    names = sorted(set(labels))
    mean = train.mean(axis=0)
    _, lengths, axes = np.linalg.svd(train - mean, full_matrices=False)
    axes = axes[lengths > 1e-9]
    z, held_out = (train - mean) @ axes.T, (x - mean) @ axes.T
    means = np.stack([z[labels == name].mean(axis=0) for name in names])
    within = z - means[[names.index(label) for label in labels]]
    covariance = within.T @ within / len(z)
    covariance *= 1 - shrinkage
    covariance += shrinkage * np.trace(within.T @ within / len(z)) / len(axes) * np.eye(len(axes))
    shares = np.array([np.mean(labels == name) for name in names])
    distances = [
        np.einsum("nd,de,ne->n", held_out - m, np.linalg.inv(covariance), held_out - m)
        for m in means
    ]
    expected = np.log(shares) - np.transpose(distances) / 2
    found = GramLDA(shrinkage).fit(x[:60], labels).decision_function(x)
    np.testing.assert_allclose(compared(found), compared(expected), rtol=1e-3, atol=2e-2)


def test_directions_within_a_class_count_for_little():
    # The first entry tells the classes apart a little, the second varies much within them.
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = np.column_stack([y + 0.2 * rng.normal(size=200), 5 * rng.normal(size=200)])
    weights = GramLDA(1e-3).fit(x, y).coef_[0]
    assert abs(weights[1]) < 0.02 * weights[0]


@pytest.mark.parametrize("classifier", BOTH)
def test_one_class_is_no_question(classifier):
    with pytest.raises(ValueError) as error:
        classifier().fit(np.eye(3), ["a"] * 3)
    assert str(error.value) == (
        f"{classifier.__name__}: y has only one class, 'a'. At least two classes are required."
    )


@pytest.mark.parametrize("vector", [np.zeros(40), np.linspace(0.1, 3, 40)])
def test_discriminants_need_vectors_that_differ(vector):
    with pytest.raises(ValueError) as error:
        GramLDA().fit(np.tile(vector, (6, 1)), [0, 1] * 3)
    assert str(error.value) == ("GramLDA: all vectors are equal. Vectors that differ are required.")


@pytest.mark.parametrize("shrinkage", [0, 1.5, "auto"])
def test_a_share_is_above_zero_and_up_to_one(shrinkage):
    with pytest.raises(ValueError, match=r"'shrinkage' parameter of GramLDA must be a float in"):
        GramLDA(shrinkage).fit(np.eye(2), [0, 1])


@pytest.mark.parametrize("classifier", BOTH)
def test_fitted_classifiers_can_be_kept(classifier):
    x, y = vectors(4)
    fitted = classifier().fit(x, y)
    content = skops.io.dumps(fitted)
    unknown = skops.io.get_untrusted_types(data=content)
    assert unknown == [f"featx.classifiers.gram.{classifier.__name__}"]
    for again in (
        pickle.loads(pickle.dumps(fitted)),
        skops.io.loads(content, trusted=unknown),
    ):
        np.testing.assert_array_equal(again.predict(x), fitted.predict(x))
