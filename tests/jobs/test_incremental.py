import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler

from featx.jobs import incremental
from featx.jobs.incremental import fit_in_pieces

ROWS, SIZE = 3000, 12


@pytest.fixture
def data(monkeypatch):
    """Return vectors sorted by three classes; 400 of them fit into the memory."""
    monkeypatch.setattr(incremental, "_BYTES", 4 * SIZE * 400)
    monkeypatch.setattr(incremental, "_STEPS", 60 * ROWS)
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], ROWS // 3)
    means = np.repeat(rng.normal(size=(3, SIZE)), ROWS // 3, axis=0)
    return (means + rng.normal(size=(ROWS, SIZE))).astype(np.float32), labels


def fit(data, *steps):
    vectors, labels = data
    taken = []

    def take(positions):
        assert len(positions) <= 400
        assert np.all(np.diff(positions) > 0)
        taken.append(positions)
        return vectors[positions]

    return fit_in_pieces(steps, take, labels, SIZE), taken


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), MaxAbsScaler()])
def test_scalers_and_bayes_equal_fitting_at_once(data, scaler):
    fitted, taken = fit(data, scaler, GaussianNB())
    vectors, labels = data
    expected = make_pipeline(scaler, GaussianNB()).fit(vectors, labels)
    np.testing.assert_allclose(
        make_pipeline(*fitted).predict_proba(vectors),
        expected.predict_proba(vectors),
        rtol=0,
        atol=1e-4,
    )
    # Each step reads every row once.
    np.testing.assert_array_equal(np.sort(np.concatenate(taken)), np.repeat(np.arange(ROWS), 2))


@pytest.mark.parametrize(
    "classifier", [SGDClassifier(random_state=0), MLPClassifier(random_state=0, max_iter=20)]
)
def test_classifiers_trained_by_gradient_descent(data, classifier):
    fitted, _ = fit(data, StandardScaler(), Normalizer(), classifier)
    vectors, labels = data
    whole = make_pipeline(StandardScaler(), Normalizer(), GaussianNB()).fit(vectors, labels)
    assert make_pipeline(*fitted).score(vectors, labels) > whole.score(vectors, labels) - 0.05


def test_steps_without_partial_fit_are_fitted_to_a_sample(data):
    fitted, taken = fit(data, StandardScaler(), PCA(3), GaussianNB())
    assert fitted[1].n_components_ == 3
    (sample,) = [positions for positions in taken if len({*np.diff(positions)}) > 30]
    assert len(sample) == 400
    # The sample contains all classes.
    assert len(set(data[1][sample])) == 3


def test_fitting_is_deterministic(data):
    once, again = (fit(data, PCA(3), SGDClassifier(random_state=0))[0][-1] for _ in range(2))
    np.testing.assert_array_equal(once.coef_, again.coef_)


def test_steps_are_not_changed(data):
    steps = StandardScaler(), GaussianNB()
    fit(data, *steps)
    assert not any(hasattr(step, "n_features_in_") for step in steps)


def test_each_piece_contains_all_classes(data):
    _, taken = fit(data, GaussianNB())
    for positions in taken[:-1]:
        assert len(set(data[1][positions])) > 1
