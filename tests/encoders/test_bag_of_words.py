import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featx import BagOfWords
from featx.core.descriptor_sets import DescriptorSet

seeds = st.integers(0, 2**32 - 1)
poolings = st.sampled_from(["average", "sum", "max"])
POOLED = {"average": np.mean, "sum": np.sum, "max": np.max}


def random(seed, count=200, features=4):
    return np.random.default_rng(seed).normal(0, 1, (count, features)).astype(np.float32)


def square_distances(encoder, x):
    return ((x[:, None].astype(np.float64) - encoder.words_) ** 2).sum(axis=2)


@given(seeds, st.integers(1, 600), st.integers(1, 20), poolings)
def test_hard_counts_are_those_of_the_nearest_words(without_ties, seed, count, words, pooling):
    encoder = BagOfWords(words, pooling=pooling).fit([random(0)])
    x = without_ties(random(seed, count), encoder.words_)
    counts = np.eye(words)[square_distances(encoder, x).argmin(axis=1)]
    expected = POOLED[pooling](counts, axis=0)
    np.testing.assert_allclose(encoder.transform([x]), [expected], rtol=1e-6)


@given(seeds, st.integers(1, 1100), st.integers(1, 20), poolings, st.floats(0.2, 5))
def test_soft_counts_are_the_codeword_uncertainty(seed, count, words, pooling, sigma):
    encoder = BagOfWords(words, assignment="soft", pooling=pooling, sigma=sigma).fit([random(0)])
    x = random(seed, count)
    kernel = np.exp(-square_distances(encoder, x) / (2 * sigma**2))
    expected = POOLED[pooling](kernel / kernel.sum(axis=1, keepdims=True), axis=0)
    np.testing.assert_allclose(encoder.transform([x]), [expected], rtol=2e-4, atol=1e-6)


def test_sigma_is_the_root_mean_square_difference_from_the_nearest_word():
    x = random(0)
    encoder = BagOfWords(7, assignment="soft").fit([x])
    expected = np.sqrt(square_distances(encoder, x).min(axis=1).mean() / 4)
    assert encoder.sigma_ == pytest.approx(expected, rel=1e-5)
    assert BagOfWords(7, sigma=3).fit([x]).sigma_ == 3


def test_little_softness_is_hardness():
    x = random(1)
    hard = BagOfWords(7).fit([random(0)])
    soft = BagOfWords(7, assignment="soft", sigma=1e-3).fit([random(0)])
    np.testing.assert_allclose(soft.transform([x]), hard.transform([x]), rtol=0, atol=1e-2)


def test_the_histograms_of_a_spatial_pyramid_are_those_of_its_paper():
    rng = np.random.default_rng(0)
    sets = [
        DescriptorSet(
            random(seed), (rng.random((200, 2)) * [20, 30] - 0.5).astype("f4"), None, size
        )
        for seed, size in ((0, (20, 30)), (1, (20, 30)))
    ]
    levels, weights = [(1, 1), (2, 2), (4, 4)], [1 / 4, 1 / 4, 1 / 2]
    bag = BagOfWords(5, pyramid=levels, pyramid_weights=weights, pooling="sum", norm="l1")
    one, two = bag.fit_transform(sets)
    # Kernel of a pyramid match: matches at each level, those of finer levels left out, weighted.
    cells = []
    for found in sets:
        word = square_distances(bag, found.values).argmin(axis=1)
        cells.append([np.zeros((n, n, 5)) for n in (1, 2, 4)])
        for (down, across), w in zip(found.relative_positions, word, strict=True):
            for n, histogram in zip((1, 2, 4), cells[-1], strict=True):
                histogram[int(down * n), int(across * n), w] += 1 / 200
    match = [np.minimum(a, b).sum() for a, b in zip(*cells, strict=True)]
    expected = match[2] + (match[1] - match[2]) / 2 + (match[0] - match[1]) / 4
    assert np.minimum(one, two).sum() == pytest.approx(expected, rel=1e-5)


def test_names():
    encoder = BagOfWords(2).fit([random(0)])
    assert encoder.get_feature_names_out().tolist() == ["bagofwords_word0", "bagofwords_word1"]
