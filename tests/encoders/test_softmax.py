import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featx.encoders.softmax import exponentiate


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 70), st.floats(0.1, 1000))
def test_exponentials_are_those_of_double_precision(seed, rows, columns, spread):
    scores = np.random.default_rng(seed).normal(0, spread, (rows, columns)).astype(np.float32)
    values = scores.copy()
    highest, total = exponentiate(values)
    np.testing.assert_array_equal(highest, scores.max(axis=0))
    expected = np.exp((scores - highest).astype(np.float64))
    # Below exp(-87), all is the same to a softmax.
    np.testing.assert_allclose(values, expected, rtol=4e-7, atol=1.7e-38)
    np.testing.assert_allclose(total, expected.sum(axis=0), rtol=4e-6)


def test_every_exponent_is_right():
    scores = np.linspace(-87, 0, 100_001, dtype=np.float32)
    values = np.stack([np.zeros_like(scores), scores])
    exponentiate(values)
    np.testing.assert_allclose(values[1], np.exp(scores.astype(np.float64)), rtol=4e-7)
