import numpy as np
import pytest
from hypothesis import assume


@pytest.fixture(scope="session")
def without_ties():
    """Drop descriptors of which single precision does not tell which words are nearest."""

    def drop(x, words, nearest=1):
        square = ((x[:, None].astype(np.float64) - words) ** 2).sum(axis=2)
        if nearest < len(words):
            square.sort(axis=1)
            x = x[square[:, nearest] - square[:, nearest - 1] > 1e-4]
        assume(len(x) > 0)
        return x

    return drop
