import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from skimage.feature import fisher_vector
from sklearn.mixture import GaussianMixture

from featx import FisherVector

seeds = st.integers(0, 2**32 - 1)


def descriptors(rng, count=400, features=6):
    centers = rng.normal(0, 1, (5, features))
    return (centers[rng.integers(0, 5, count)] + rng.normal(0, 1, (count, features))).astype("f4")


def fitted(seed=0, modes=5, features=6, **parameters):
    rng = np.random.default_rng(seed)
    return FisherVector(modes, **parameters).fit([descriptors(rng, features=features)])


def as_scikit_learn(encoder):
    model = GaussianMixture(len(encoder.weights_), covariance_type="diag")
    model.weights_, model.means_ = encoder.weights_.copy(), encoder.means_.copy()
    model.covariances_ = encoder.variances_.copy()
    model.precisions_cholesky_ = 1 / np.sqrt(model.covariances_)
    return model


def literal(encoder, x):
    """Compute what the class says, without normalization, in float64."""
    w, mu, sigma = encoder.weights_, encoder.means_, np.sqrt(encoder.variances_)
    z = (x[:, None].astype(np.float64) - mu) / sigma
    logs = np.log(w) - 0.5 * (z**2).sum(axis=2) - np.log(sigma).sum(axis=1)
    q = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    u = np.einsum("ik,ikj->kj", q, z) / (len(x) * np.sqrt(w)[:, None])
    v = np.einsum("ik,ikj->kj", q, z**2 - 1) / (len(x) * np.sqrt(2 * w)[:, None])
    return np.concatenate([u.ravel(), v.ravel()])


@settings(max_examples=30)
@given(seeds, st.integers(1, 12), st.integers(1, 20), st.integers(20, 700))
@example(seed=12, modes=12, features=1, count=281)  # a mode with a variance of 1e-4
def test_values_are_those_of_the_formula(seed, modes, features, count):
    encoder = fitted(seed, modes, features, power=1, norm=None)
    x = descriptors(np.random.default_rng(seed + 1), count, features)
    (result,) = encoder.transform([x])
    assert result.dtype == np.float32
    # Squares of distances are expanded: the last bit of the largest one counts in a narrow mode.
    squares = (x**2 @ (1 / encoder.variances_).T).max()
    rtol = max(1e-4, np.finfo(np.float32).eps * squares)
    np.testing.assert_allclose(result, literal(encoder, x), rtol=rtol, atol=max(2e-5, rtol / 5))


def test_values_are_the_gradient_of_the_log_likelihood():
    encoder = fitted(power=1, norm=None)
    x = descriptors(np.random.default_rng(1), 50).astype(np.float64)
    means, deviations = np.zeros((5, 6)), np.zeros((5, 6))
    step = 1e-5
    for place in np.ndindex(5, 6):
        for sign in (1, -1):
            model = as_scikit_learn(encoder)
            model.means_[place] += sign * step
            means[place] += sign * model.score(x) / (2 * step)
            model = as_scikit_learn(encoder)
            sigma = np.sqrt(model.covariances_[place]) + sign * step
            model.covariances_[place] = sigma**2
            model.precisions_cholesky_[place] = 1 / sigma
            deviations[place] += sign * model.score(x) / (2 * step)
    # The Fisher information of a mean is w / sigma^2, that of a standard deviation twice this.
    information = encoder.weights_[:, None] / encoder.variances_
    expected = [means / np.sqrt(information), deviations / np.sqrt(2 * information)]
    (result,) = encoder.transform([x.astype(np.float32)])
    np.testing.assert_allclose(result, np.ravel(expected), rtol=1e-4, atol=1e-5)


def test_values_are_those_of_scikit_image_but_for_the_sign_of_deviations():
    encoder = fitted(power=1, norm=None)
    x = descriptors(np.random.default_rng(1), 300)
    theirs = fisher_vector(x.astype(np.float64), as_scikit_learn(encoder))
    (result,) = encoder.transform([x])
    np.testing.assert_allclose(result[:30], theirs[5:35], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result[30:], -theirs[35:], rtol=1e-4, atol=1e-5)


def test_improved_vectors_are_square_roots_of_unit_length():
    x = descriptors(np.random.default_rng(1), 300)
    bare, improved = fitted(power=1, norm=None), fitted()
    values = literal(bare, x)
    roots = np.sign(values) * np.sqrt(np.abs(values))
    (result,) = improved.transform([x])
    np.testing.assert_allclose(result, roots / np.linalg.norm(roots), rtol=0, atol=1e-5)


def test_of_the_sample_itself_entries_are_near_zero():
    # The mixture is where the likelihood is greatest: there, its gradient is zero.
    x = descriptors(np.random.default_rng(0))
    encoder = FisherVector(3, power=1, norm=None, max_iter=1000).fit([x])
    np.testing.assert_allclose(encoder.transform([x]), 0, atol=0.05)


def test_positions_appended_to_descriptors_do_not_matter_by_their_factor():
    # Gaussians stretch with it, but for the clusters from which they come.
    encoder = fitted(features=6)
    stretched = fitted(features=6)
    stretched.means_ = encoder.means_ * 3
    stretched.variances_ = encoder.variances_ * 9
    x = descriptors(np.random.default_rng(1), 300)
    np.testing.assert_allclose(
        stretched.transform([3 * x]), encoder.transform([x]), rtol=0, atol=1e-5
    )


def test_names():
    encoder = FisherVector(2).fit([descriptors(np.random.default_rng(0), features=2)])
    assert encoder.get_feature_names_out().tolist() == [
        "fishervector_mode0_mean0",
        "fishervector_mode0_mean1",
        "fishervector_mode1_mean0",
        "fishervector_mode1_mean1",
        "fishervector_mode0_deviation0",
        "fishervector_mode0_deviation1",
        "fishervector_mode1_deviation0",
        "fishervector_mode1_deviation1",
    ]


def test_fewer_descriptors_than_gaussians_are_refused():
    x = descriptors(np.random.default_rng(0), 100)
    with pytest.raises(ValueError) as caught:
        FisherVector().fit([x, x])
    assert str(caught.value) == (
        "FisherVector: n_modes=256 requires at least 256 descriptors, got 200. Fit on more "
        "images, or reduce n_modes."
    )
