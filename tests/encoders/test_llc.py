import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from featx import LLC

POOLED = {"average": np.mean, "sum": np.sum, "max": np.max}


def random(seed, count=200, features=6):
    return np.random.default_rng(seed).normal(0, 1, (count, features)).astype(np.float32)


def quadratic_program(x, words, penalties):
    """Minimize |x - B^T c|^2 + sum(penalties c^2) under sum(c) = 1, by the Lagrangian's zero."""
    size = len(words)
    system = np.ones((size + 1, size + 1))
    system[:size, :size] = 2 * (words @ words.T + np.diag(penalties))
    system[size, size] = 0
    return np.linalg.solve(system, np.append(2 * words @ x, 1))[:size]


def literal(encoder, x):
    """Give the code of each descriptor, (n, n_words), in float64."""
    words, codes = encoder.words_.astype(np.float64), np.zeros((len(x), len(encoder.words_)))
    for code, row in zip(codes, x.astype(np.float64), strict=True):
        square = ((words - row) ** 2).sum(axis=1)
        near = np.argsort(square, kind="stable")[: encoder.n_neighbors]
        penalty = np.full(len(near), encoder.regularization * square[near].sum())
        code[near] = quadratic_program(row, words[near], penalty)
    return codes


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 600),
    st.integers(1, 12),
    st.integers(1, 20),
    st.sampled_from([1e-4, 1e-2, 1]),
    st.sampled_from(["average", "sum", "max"]),
)
def test_codes_are_those_of_the_quadratic_program(
    without_ties, seed, count, neighbors, features, regularization, pooling
):
    encoder = LLC(
        12, n_neighbors=neighbors, regularization=regularization, pooling=pooling, norm=None
    ).fit([random(0, features=features)])
    x = without_ties(random(seed, count, features), encoder.words_, neighbors)
    expected = POOLED[pooling](literal(encoder, x), axis=0)
    np.testing.assert_allclose(encoder.transform([x]), [expected], rtol=1e-4, atol=1e-5)


def test_codes_are_those_that_an_optimiser_finds():
    encoder = LLC(12, n_neighbors=4, regularization=0.01, pooling="sum", norm=None)
    encoder.fit([random(0)])
    words = encoder.words_.astype(np.float64)
    for x in random(1, 5):
        (code,) = encoder.transform([x[np.newaxis]])
        square = ((words - x) ** 2).sum(axis=1)
        near = np.argsort(square)[:4]

        def objective(c, x=x, near=near, square=square):
            return ((x - c @ words[near]) ** 2).sum() + 0.01 * square[near].sum() * (c**2).sum()

        found = minimize(
            objective,
            np.full(4, 0.25),
            constraints={"type": "eq", "fun": lambda c: c.sum() - 1},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(code[near], found.x, rtol=0, atol=1e-4)
        assert np.count_nonzero(code) == 4


def test_codes_are_those_of_the_locality_form_where_far_words_cost_beyond_measure():
    encoder = LLC(12, n_neighbors=3, regularization=0.01, pooling="sum", norm=None)
    encoder.fit([random(0)])
    words = encoder.words_.astype(np.float64)
    for x in random(1, 20).astype(np.float64):
        square = ((words - x) ** 2).sum(axis=1)
        near = np.argsort(square)[:3]
        penalties = np.full(12, 1e9)
        penalties[near] = 0.01 * square[near].sum()
        expected = quadratic_program(x, words, penalties)
        (code,) = encoder.transform([x[np.newaxis].astype(np.float32)])
        np.testing.assert_allclose(code, expected, rtol=0, atol=1e-5)


def test_codes_of_a_descriptor_add_up_to_one():
    encoder = LLC(30, pooling="average", norm=None).fit([random(0)])
    np.testing.assert_allclose(encoder.transform([random(1)]).sum(), 1, rtol=1e-5)


def test_a_word_is_coded_by_itself():
    encoder = LLC(30, norm=None, regularization=1e-9).fit([random(0)])
    for word in range(30):
        (code,) = encoder.transform([encoder.words_[word : word + 1]])
        np.testing.assert_allclose(code, np.eye(30)[word], rtol=0, atol=1e-4)


def test_words_that_are_the_descriptor_share_it():
    encoder = LLC(4, n_neighbors=3, norm=None).fit([np.ones((20, 2), np.float32)])
    (code,) = encoder.transform([np.ones((1, 2), np.float32)])
    np.testing.assert_allclose(np.sort(code), [0, 1 / 3, 1 / 3, 1 / 3], rtol=1e-6)


def test_more_neighbors_than_words_are_refused():
    with pytest.raises(ValueError) as caught:
        LLC(4).fit([random(0)])
    assert str(caught.value) == (
        "LLC: n_neighbors=5 exceeds the number of words. Use at most n_words=4."
    )


def test_names():
    encoder = LLC(2, n_neighbors=1).fit([random(0)])
    assert encoder.get_feature_names_out().tolist() == ["llc_word0", "llc_word1"]
