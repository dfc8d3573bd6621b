import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn import mixture
from sklearn.exceptions import ConvergenceWarning

from featx.encoders.gaussian_mixture import GaussianMixture

seeds = st.integers(0, 2**32 - 1)


def drawn_mixture(rng, modes, features):
    return GaussianMixture(
        rng.dirichlet(np.full(modes, 5.0)),
        rng.normal(0, 1, (modes, features)),
        rng.uniform(0.2, 2, (modes, features)),
    )


def literal_moments(model, x):
    """Compute what the class says for each descriptor and Gaussian, in float64."""
    z = (x[:, None] - model.means) / np.sqrt(model.variances)
    logs = np.log(model.weights) - 0.5 * (z**2 + np.log(2 * np.pi * model.variances)).sum(axis=2)
    q = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    q[q < 1e-6] = 0
    moments = [
        q.sum(axis=0)[:, None],
        np.einsum("ik,ikj->kj", q, z),
        np.einsum("ik,ikj->kj", q, z**2),
    ]
    return np.hstack(moments), logsumexp(logs, axis=1).sum()


@given(seeds, st.integers(1, 1100), st.integers(1, 40), st.integers(1, 20), st.floats(-50, 50))
def test_moments_are_those_of_the_formula(seed, count, modes, features, offset):
    rng = np.random.default_rng(seed)
    model = drawn_mixture(rng, modes, features)
    model.means[:] += offset
    x = rng.normal(offset, 1.5, (count, features)).astype(np.float32)
    moments, likelihood = model.moments(x)
    expected, expected_likelihood = literal_moments(model, x.astype(np.float64))
    assert moments.dtype == np.float64
    np.testing.assert_allclose(moments, expected, rtol=1e-4, atol=1e-4 * max(count / modes, 1))
    np.testing.assert_allclose(likelihood, expected_likelihood, rtol=1e-5, atol=1e-4 * count)


def clusters(rng, count=3000, modes=6, features=5):
    centers = rng.normal(0, 1.5, (modes, features))
    members = rng.integers(0, modes, count)
    return (centers[members] + rng.normal(0, 1, (count, features))).astype(np.float32)


@pytest.mark.parametrize("rounds", [1, 4])
def test_rounds_are_those_of_scikit_learn(rounds):
    x = clusters(np.random.default_rng(0))
    start = GaussianMixture.fit(x, 6, 1, 0)
    after = GaussianMixture.fit(x, 6, 1 + rounds, 0)
    peer = mixture.GaussianMixture(
        6,
        covariance_type="diag",
        tol=0,
        reg_covar=0,
        max_iter=rounds,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=1 / start.variances,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(x.astype(np.float64))
    np.testing.assert_allclose(after.weights, peer.weights_, rtol=0, atol=2e-5)
    np.testing.assert_allclose(after.means, peer.means_, rtol=0, atol=2e-4)
    np.testing.assert_allclose(after.variances, peer.covariances_, rtol=0, atol=2e-4)


def test_the_start_is_the_mean_and_variance_of_each_cluster():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(5 * n, 0.1, (50 + 50 * n, 2)) for n in range(3)]).astype("f4")
    model = GaussianMixture.fit(x, 3, 1, 0)
    order = np.argsort(model.means[:, 0])
    parts = [x[:50], x[50:150], x[150:]]
    np.testing.assert_allclose(model.weights[order], [1 / 6, 1 / 3, 1 / 2], rtol=1e-5)
    np.testing.assert_allclose(model.means[order], [p.mean(0) for p in parts], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.variances[order], [p.var(0) for p in parts], rtol=1e-3)


def test_likelihood_never_falls_and_fitting_ends_where_it_hardly_grows():
    x = clusters(np.random.default_rng(2), 300, 3)
    likelihoods = [GaussianMixture.fit(x, 3, n, 0).moments(x)[1] / 300 for n in range(1, 8)]
    assert (np.diff(likelihoods) > -1e-5).all()
    at_last, later = GaussianMixture.fit(x, 3, 200, 0), GaussianMixture.fit(x, 3, 400, 0)
    np.testing.assert_array_equal(at_last.means, later.means)


def test_no_variance_is_less_than_the_floor():
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (500, 3)).astype(np.float32)
    x[:, 1] *= 1e-6
    x[:250] = x[0]
    model = GaussianMixture.fit(x, 8, 10, 0)
    floor = 1e-4 * x.var(axis=0, dtype=np.float64).max()
    assert model.variances.min() == floor
    np.testing.assert_allclose(model.variances[:, 1], floor)


def test_descriptors_that_are_all_alike_make_gaussians_of_the_least_variance():
    x = np.full((50, 3), 0.25, np.float32)
    model = GaussianMixture.fit(x, 4, 10, 0)
    np.testing.assert_array_equal(model.means, np.full((4, 3), 0.25))
    np.testing.assert_array_equal(model.variances, np.full((4, 3), 1e-12))
    np.testing.assert_allclose(model.weights.sum(), 1)
    assert (model.weights > 0).all()


def test_the_same_seed_gives_the_same_mixture():
    x = clusters(np.random.default_rng(4))
    one, two, other = (GaussianMixture.fit(x, 6, 5, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.means, two.means)
    assert not np.array_equal(one.means, other.means)


@given(seeds, st.integers(1, 60), st.integers(1, 40), st.integers(1, 20), st.floats(-50, 50))
def test_posteriors_are_those_of_the_formula(seed, count, modes, features, offset):
    rng = np.random.default_rng(seed)
    model = drawn_mixture(rng, modes, features)
    model.means[:] += offset
    x = rng.normal(offset, 1.5, (count, features)).astype(np.float32)
    z = (x[:, None].astype(np.float64) - model.means) / np.sqrt(model.variances)
    logs = np.log(model.weights) - 0.5 * (z**2 + np.log(2 * np.pi * model.variances)).sum(axis=2)
    expected = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    found = model.posteriors(x)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert (found[expected < 0.9e-6] == 0).all()
