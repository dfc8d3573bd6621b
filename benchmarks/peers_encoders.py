"""Benchmarks of encoders against scikit-learn and scikit-image."""

import warnings

import numpy as np
from measuring import equal, least, record_cost, record_speedup, times
from skimage.feature import fisher_vector
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from featx import (
    BagOfWords,
    FisherVector,
)
from featx.core.descriptor_sets import DescriptorSet


def descriptors(count: int, length: int):
    """Generate descriptors in overlapping clusters, similar to those of photographs."""
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 1, (300, length))
    noise = rng.normal(0, 1, (count, length)) * rng.uniform(0.5, 1, length)
    return (centers[rng.integers(0, 300, count)] * 0.7 + noise).astype(np.float32)


def section_encoders() -> None:
    """Encoders of 256 Gaussians or words against scikit-image and scikit-learn."""
    many = descriptors(30_000, 128)
    for count in (961, 10_000):
        compare_fisher_vectors(many[:count, :64], FisherVector().fit([many[:, :64]]))
    projected = FisherVector(n_components=64).fit([many])
    compare_projected(many[:10_000], projected)
    compare_bags(many[:10_000, :64], BagOfWords(256).fit([many[:, :64]]))
    compare_fitting(many[:, :64])


def as_scikit_learn(encoder) -> GaussianMixture:
    model = GaussianMixture(len(encoder.weights_), covariance_type="diag")
    model.weights_, model.means_ = encoder.weights_, encoder.means_
    model.covariances_ = encoder.variances_
    model.precisions_cholesky_ = 1 / np.sqrt(encoder.variances_)
    return model


def in_our_order(vector, modes: int):
    """Drop the block of weights, and flip the sign of scikit-image's block of deviations."""
    means, deviations = np.split(vector[modes:], 2)
    vector = np.concatenate([means, -deviations])
    vector = np.sign(vector) * np.sqrt(np.abs(vector))
    return vector / np.linalg.norm(vector)


def compare_fisher_vectors(x, encoder) -> None:
    model, name = as_scikit_learn(encoder), f"FisherVector, {len(x):,} descriptors of 64"
    equal(
        name,
        encoder.transform([x])[0],
        in_our_order(fisher_vector(x, model), 256),
        1e-4,
    )
    ratio = least(lambda: encoder.transform([x]), lambda: fisher_vector(x, model), 2)
    record_speedup(name, "scikit-image", ratio, 2)


def compare_projected(x, encoder) -> None:
    model = as_scikit_learn(encoder)
    pca = PCA(64)
    pca.mean_, pca.components_ = encoder.mean_, encoder.components_

    def theirs():
        return fisher_vector(pca.transform(x), model)

    name = "FisherVector(n_components=64), 10,000 descriptors of 128"
    equal(name, encoder.transform([x])[0], in_our_order(theirs(), 256), 1e-4)
    ratio = least(lambda: encoder.transform([x]), theirs, 2)
    record_speedup(name, "scikit-learn, scikit-image", ratio, 2)
    spatial = FisherVector(pyramid=[[1, 1], [3, 1], [2, 2]], n_components=64, max_iter=1)
    places = np.indices((100, 100)).reshape(2, -1).T.astype(np.float32)
    found = DescriptorSet(x, places, size=(100, 100))
    spatial.fit([found])
    ratio = 1 / least(lambda: spatial.transform([found]), lambda: encoder.transform([x]), 2)
    record_cost("FisherVector, pyramid of 8 cells", "1 cell", ratio, 2)


def compare_bags(x, encoder) -> None:
    k_means = MiniBatchKMeans(256, init=encoder.words_, n_init=1, max_iter=1).fit(encoder.words_)
    k_means.cluster_centers_ = encoder.words_

    def theirs():
        return np.bincount(k_means.predict(x), minlength=256) / len(x)

    name = "BagOfWords, 256 words, 10,000 descriptors"
    equal(name, encoder.transform([x])[0], theirs(), 1e-3)
    ratio = least(lambda: encoder.transform([x]), theirs, 2)
    record_speedup(name, "scikit-learn", ratio, 1)


def compare_fitting(x) -> None:
    """Fit 256 Gaussians in the same number of iterations, initialized by k-means."""

    def theirs():
        words = MiniBatchKMeans(256, n_init=1, random_state=0).fit(x).cluster_centers_
        model = GaussianMixture(256, covariance_type="diag", means_init=words, max_iter=8, tol=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(x)

    ours = lambda: FisherVector(max_iter=8).fit([x])  # noqa: E731
    ours_seconds, theirs_seconds = times(ours, theirs, turns=2)
    ratio = min(theirs_seconds) / min(ours_seconds)
    record_speedup("FisherVector.fit, 256 Gaussians, 8 iterations", "scikit-learn", ratio, 3)
