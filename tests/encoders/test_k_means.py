import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featx.encoders.k_means import fit_words, move_words, nearest_words, residual_sums

seeds = st.integers(0, 2**32 - 1)


def squared_distances(x, words):
    return ((x[:, None].astype(np.float64) - words) ** 2).sum(axis=2)


@given(seeds, st.integers(1, 1100), st.integers(1, 30), st.integers(1, 20), st.floats(-100, 100))
def test_nearest_words_are_nearest(seed, count, words, features, offset):
    rng = np.random.default_rng(seed)
    x = rng.normal(offset, 1, (count, features)).astype(np.float32)
    book = rng.normal(offset, 1, (words, features)).astype(np.float32)
    nearest = nearest_words(x, book)
    expected = squared_distances(x, book)
    chosen = expected[np.arange(count), nearest]
    # Another word may be as near, as far as single precision tells.
    np.testing.assert_allclose(chosen, expected.min(axis=1), rtol=1e-3, atol=1e-4)
    clear = np.sort(expected, axis=1)[:, :2] @ [-1, 1] > 1e-3 if words > 1 else np.ones(count, bool)
    np.testing.assert_array_equal(nearest[clear], expected.argmin(axis=1)[clear])


def test_of_equally_near_words_the_first_counts():
    words = np.array([[0, 5], [1, 0], [-1, 0], [1, 0]], np.float32)
    assert nearest_words(np.zeros((3, 2), np.float32), words).tolist() == [1, 1, 1]


@given(seeds, st.integers(0, 200), st.integers(1, 10), st.booleans())
def test_residual_sums_are_those_of_the_formula(seed, count, words, unit):
    rng = np.random.default_rng(seed)
    x, book = rng.normal(0, 1, (count, 5)), rng.normal(0, 1, (words, 5))
    x, book = x.astype(np.float32), book.astype(np.float32)
    if count:
        x[0] = book[0]
    nearest = rng.integers(0, words, count).astype(np.int32)
    nearest[:1] = 0
    expected = np.zeros((words, 6))
    for row, word in zip(x.astype(np.float64), nearest, strict=True):
        residual = row - book[word]
        length = np.linalg.norm(residual)
        expected[word] += [1, *(residual / length if unit and length > 0 else residual)]
    result = residual_sums(x, book, nearest, unit)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


def test_words_are_the_means_of_the_clusters_that_there_are():
    rng = np.random.default_rng(0)
    parts = [rng.normal(10 * n, 0.5, (40 + 20 * n, 3)).astype(np.float32) for n in range(4)]
    words, counts = fit_words(rng.permutation(np.concatenate(parts)), 4, 0)
    order = np.argsort(words[:, 0])
    np.testing.assert_allclose(words[order], [part.mean(axis=0) for part in parts], rtol=1e-5)
    assert counts[order].tolist() == [40, 60, 80, 100]


def test_words_move_to_the_mean_of_all_that_they_have_seen():
    rng = np.random.default_rng(0)
    first = np.concatenate([rng.normal(9 * n, 1, (50, 2)) for n in range(3)]).astype(np.float32)
    second = np.concatenate([rng.normal(9 * n, 1, (20, 2)) for n in range(2)]).astype(np.float32)
    words, counts = move_words(second, *fit_words(first, 3, 0))
    order = np.argsort(words[:, 0])
    assert counts[order].tolist() == [70, 70, 50]
    means = [np.concatenate([first[50 * n :][:50], second[20 * n :][:20]]).mean(0) for n in (0, 1)]
    np.testing.assert_allclose(words[order], [*means, first[100:].mean(axis=0)], rtol=1e-5)
