import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featx import Rectify

IMAGE = np.array([[[1.5, -2.0], [0.0, 3.0]], [[-0.25, -0.0], [1e30, -1e-30]]], np.float32)
FORMULAS = {
    "relu": lambda x: max(x, 0),
    "absolute": lambda x: x if x >= 0 else -x,
    "square": lambda x: x * x,
}


@pytest.mark.parametrize("mode", FORMULAS)
def test_each_value_is_rectified_by_itself(mode):
    image = np.clip(IMAGE, -1e15, 1e15)
    result = Rectify(mode).fit_transform([image])[0]
    expected = np.vectorize(FORMULAS[mode], otypes="d")(image.astype(np.float64))
    np.testing.assert_array_equal(result, expected.astype(np.float32))


def test_both_half_waves():
    result = Rectify("both").fit_transform([IMAGE])[0]
    expected = [
        [[1.5, 0, 0, 2], [0, 0, 3, 0]],
        [[0, 0.25, 0, 0], [1e30, 0, 0, 1e-30]],
    ]
    np.testing.assert_array_equal(result, np.array(expected, np.float32))


@given(st.integers(0, 2**32 - 1))
def test_half_waves_keep_what_there_was(seed):
    image = np.random.default_rng(seed).normal(size=(5, 4, 3)).astype(np.float32)
    halves = Rectify("both").fit_transform([image])[0].reshape(5, 4, 3, 2)
    np.testing.assert_array_equal(halves[..., 0] - halves[..., 1], image)
    np.testing.assert_array_equal(
        halves[..., 0] + halves[..., 1], Rectify("absolute").fit_transform([image])[0]
    )
    np.testing.assert_array_equal(halves[..., 0], Rectify("relu").fit_transform([image])[0])


def test_names():
    for mode in FORMULAS:
        names = Rectify(mode).fit([IMAGE]).get_feature_names_out(["edges", "lines"])
        assert names.tolist() == ["edges", "lines"]
    names = Rectify("both").fit([IMAGE]).get_feature_names_out(["edges", "lines"])
    assert names.tolist() == [
        "edges_positive",
        "edges_negative",
        "lines_positive",
        "lines_negative",
    ]
