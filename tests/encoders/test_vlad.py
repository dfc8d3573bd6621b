import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featx import VLAD

kinds = st.sampled_from(["sum", "mean", "unit"])


def random(seed, count=200, features=4):
    return np.random.default_rng(seed).normal(0, 1, (count, features)).astype(np.float32)


def literal(encoder, x):
    """Compute what the class says, (n_words, d), in float64 and without normalization."""
    vector, words = np.zeros(encoder.words_.shape), encoder.words_.astype(np.float64)
    counts = np.zeros((len(words), 1))
    for row in x.astype(np.float64):
        nearest = ((row - words) ** 2).sum(axis=1).argmin()
        residual = row - words[nearest]
        counts[nearest] += 1
        vector[nearest] += residual / (
            np.linalg.norm(residual) if encoder.residuals == "unit" else 1
        )
    return vector / np.maximum(counts, 1) if encoder.residuals == "mean" else vector


@given(st.integers(0, 2**32 - 1), st.integers(1, 600), st.integers(1, 12), kinds)
def test_values_are_those_of_the_formula(without_ties, seed, count, words, residuals):
    encoder = VLAD(words, power=1, residuals=residuals, intra_norm=False, norm=None).fit(
        [random(0)]
    )
    x = without_ties(random(seed, count), encoder.words_)
    expected = literal(encoder, x).ravel()
    np.testing.assert_allclose(encoder.transform([x]), [expected], rtol=1e-5, atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), kinds, st.sampled_from([1, 0.5]))
def test_normalisation_is_by_entry_by_word_and_of_the_whole(
    without_ties, seed, count, residuals, power
):
    encoder = VLAD(5, residuals=residuals, power=power).fit([random(0)])
    x = without_ties(random(seed, count), encoder.words_)
    expected = literal(encoder, x)
    expected = np.sign(expected) * np.abs(expected) ** power
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    expected /= np.where(lengths > 0, lengths, 1)
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(encoder.transform([x]), [expected.ravel()], rtol=1e-3, atol=1e-5)


def test_words_without_descriptors_are_zero():
    encoder = VLAD(5).fit([random(0)])
    x = encoder.words_[2:3] + np.float32(0.01)
    blocks = encoder.transform([x])[0].reshape(5, 4)
    np.testing.assert_allclose(np.linalg.norm(blocks, axis=1), [0, 0, 1, 0, 0], rtol=1e-6)


def test_names():
    encoder = VLAD(2).fit([random(0, features=2)])
    assert encoder.get_feature_names_out().tolist() == [
        "vlad_word0_residual0",
        "vlad_word0_residual1",
        "vlad_word1_residual0",
        "vlad_word1_residual1",
    ]
