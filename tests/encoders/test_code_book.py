import numpy as np
import pytest
from sklearn.cluster import MiniBatchKMeans

from featx import LLC, VLAD, BagOfWords, SuperVector

ENCODERS = [LLC, VLAD, BagOfWords, SuperVector]


def clusters(seed, count=100):
    rng = np.random.default_rng(seed)
    centers = np.repeat(np.arange(6), count)[:, None] * [20, 5, -10]
    return rng.permutation(centers + rng.normal(0, 1, (6 * count, 3))).astype(np.float32)


@pytest.mark.parametrize("kind", ENCODERS)
def test_fewer_descriptors_than_words_are_refused(kind):
    with pytest.raises(ValueError) as caught:
        kind(n_words=20, n_samples=1000).fit([clusters(0, 1), clusters(1, 2)])
    assert str(caught.value) == (
        f"{kind.__name__}: n_words=20 requires at least 20 descriptors, got 18. Fit on more "
        "images, or reduce n_words."
    )


@pytest.mark.parametrize("kind", ENCODERS)
def test_the_first_partial_fit_is_a_fit(kind):
    batch = [clusters(0), clusters(1)]
    part, whole = kind(n_words=6).partial_fit(batch), kind(n_words=6).fit(batch)
    np.testing.assert_array_equal(part.words_, whole.words_)
    np.testing.assert_array_equal(part.counts_, whole.counts_)


def test_partial_fits_are_those_of_scikit_learn():
    encoder = VLAD(n_words=6).partial_fit([clusters(0)])
    peer = MiniBatchKMeans(6, init=encoder.words_, n_init=1, reassignment_ratio=0)
    peer.partial_fit(clusters(0))
    # It has now seen the first batch from words that are already its means, as ours has.
    np.testing.assert_allclose(peer.cluster_centers_, encoder.words_, rtol=1e-5)
    for seed in (1, 2):
        encoder.partial_fit([clusters(seed)])
        peer.partial_fit(clusters(seed))
    np.testing.assert_allclose(encoder.words_, peer.cluster_centers_, rtol=1e-5)
    assert encoder.counts_.sum() == 1800


def test_partial_fit_keeps_the_projection():
    encoder = VLAD(n_words=6, n_components=2).partial_fit([clusters(0)])
    components, words = encoder.components_, encoder.words_
    encoder.partial_fit([clusters(1)[:300]])
    assert encoder.components_ is components
    assert not np.array_equal(encoder.words_, words)
    x = (clusters(1)[:300] - encoder.mean_) @ components.T
    nearest = np.linalg.norm(x[:, None] - words, axis=2).argmin(axis=1)
    for word in range(6):
        members = x[nearest == word]
        expected = (100 * words[word] + members.sum(axis=0)) / (100 + len(members))
        np.testing.assert_allclose(encoder.words_[word], expected, rtol=1e-4, atol=1e-4)


def test_partial_fit_draws_a_sample_of_each_batch():
    encoder = VLAD(n_words=6, n_samples=250).partial_fit([clusters(0)])
    encoder.partial_fit([clusters(1)])
    assert encoder.counts_.sum() == 500


def test_partial_fit_on_nothing_changes_nothing():
    encoder = VLAD(n_words=6).partial_fit([clusters(0)])
    words = encoder.words_
    encoder.partial_fit([]).partial_fit([np.empty((0, 3), np.float32)])
    assert encoder.words_ is words


def test_partial_fit_refuses_descriptors_of_another_length():
    encoder = VLAD(n_words=6).partial_fit([clusters(0)])
    with pytest.raises(ValueError) as caught:
        encoder.partial_fit([np.zeros((5, 4), np.float32)])
    assert str(caught.value) == ("VLAD: descriptors have 4 entries, expected 3 as in fit.")
