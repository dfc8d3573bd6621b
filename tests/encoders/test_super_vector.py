import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featx import SuperVector


def random(seed, count=200, features=4):
    return np.random.default_rng(seed).normal(0, 1, (count, features)).astype(np.float32)


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 600), st.integers(1, 12), st.sampled_from([0, 0.3, 2])
)
def test_values_are_those_of_the_formula(without_ties, seed, count, words, constant):
    encoder = SuperVector(words, constant=constant, norm=None, power=1).fit([random(0)])
    x = without_ties(random(seed, count), encoder.words_)
    book = encoder.words_.astype(np.float64)
    nearest = ((x[:, None] - book) ** 2).sum(axis=2).argmin(axis=1)
    expected = np.zeros((words, 5))
    for word in range(words):
        share = (nearest == word).sum() / len(x)
        for row in x[nearest == word].astype(np.float64):
            code = np.append(constant, row - book[word])
            expected[word] += code / (len(x) * np.sqrt(share))
    result = encoder.transform([x])
    np.testing.assert_allclose(result, [expected.ravel()], rtol=1e-5, atol=1e-5)


def test_inner_products_are_those_of_mean_codes_weighted_by_roots_of_shares():
    encoder = SuperVector(5, constant=0.7, norm=None, power=1).fit([random(0)])
    sets = [random(1), random(2)]
    one, two = encoder.transform(sets).astype(np.float64)
    expected = 0
    nearest = [np.linalg.norm(x[:, None] - encoder.words_, axis=2).argmin(axis=1) for x in sets]
    for word in range(5):
        means, shares = [], []
        for x, near in zip(sets, nearest, strict=True):
            members = x[near == word].astype(np.float64)
            means.append(np.append(0.7, members.mean(axis=0) - encoder.words_[word]))
            shares.append(len(members) / len(x))
        expected += np.sqrt(shares[0] * shares[1]) * means[0] @ means[1]
    np.testing.assert_allclose(one @ two, expected, rtol=1e-5)


def test_names():
    encoder = SuperVector(2).fit([random(0, features=2)])
    assert encoder.get_feature_names_out().tolist() == [
        "supervector_word0_share",
        "supervector_word0_residual0",
        "supervector_word0_residual1",
        "supervector_word1_share",
        "supervector_word1_residual0",
        "supervector_word1_residual1",
    ]
