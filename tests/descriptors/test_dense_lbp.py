import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featx import LBP, DenseLBP


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["default", "ror", "uniform", "nri_uniform"]),
    st.sampled_from([1, 1.5]),
    st.sampled_from([None, 0.1]),
    st.integers(1, 3),
    st.lists(st.integers(1, 4), min_size=1, max_size=2, unique=True),
    st.integers(1, 6),
    st.sampled_from([None, "L1", "L1-sqrt", "L2"]),
)
def test_windows_have_the_histograms_of_lbp(
    seed, method, radius, threshold, cells, sides, step, norm
):
    shape, border = (18, 21, 2), int(np.ceil(radius))
    image = np.random.default_rng(seed).random(shape, np.float32)
    patch_sizes = [cells * side for side in sides]
    dense = DenseLBP(6, radius, method, threshold, patch_sizes, cells, step, norm)
    (found,) = dense.fit_transform([image])
    whole = LBP(6, radius, method, threshold, (cells, cells), None)
    expected, positions, scales = [], [], []
    for side in patch_sizes:
        for top in range(border, shape[0] - border - side + 1, step):
            for left in range(border, shape[1] - border - side + 1, step):
                around = np.s_[top - border : top + side + border, left - border :]
                window = image[around][:, : side + 2 * border]
                counts = whole.fit_transform([window])[0].astype(np.float64)
                expected.append(counts)
                positions.append((top + (side - 1) / 2, left + (side - 1) / 2))
                scales.append(side)
    expected = np.array(expected)
    if norm in ("L1", "L1-sqrt"):
        expected /= expected.sum(axis=1, keepdims=True)
    if norm == "L1-sqrt":
        expected = np.sqrt(expected)
    if norm == "L2":
        expected /= np.sqrt((expected**2).sum(axis=1, keepdims=True))
    assert found.values.dtype == found.positions.dtype == found.scales.dtype == np.float32
    assert found.size == shape[:2]
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    np.testing.assert_array_equal(found.positions, positions)
    np.testing.assert_array_equal(found.scales, scales)


def test_even_images_have_one_pattern():
    (found,) = DenseLBP(4, method="uniform", norm=None).fit_transform([np.full((24, 24), 0.3)])
    cells = found.values.reshape(-1, 4, 6)
    np.testing.assert_array_equal(cells, np.broadcast_to([0, 0, 0, 0, 64, 0], cells.shape))


def test_sizes_that_do_not_fit_are_left_out():
    image = np.random.default_rng(0).random((26, 50), np.float32)
    (found,) = DenseLBP(patch_sizes=[32, 24, 16]).fit_transform([image])
    assert sorted(set(found.scales.tolist())) == [16, 24]
    assert found.shape == (3 * 9 + 7, 236)


def test_names_tell_where_each_entry_is_from():
    image = np.random.default_rng(0).random((20, 20, 3), np.float32)
    stage = DenseLBP(threshold=0.1).fit([image])
    names = stage.get_feature_names_out().tolist()
    assert len(names) == len(set(names)) == stage.transform([image])[0].shape[1] == 3 * 2 * 236
    assert names[0] == "red_lbp8_1_upper_cell0_0_bin0"
    assert names[-1] == "blue_lbp8_1_lower_cell1_1_bin58"


@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        (
            DenseLBP(16, 2),
            "DenseLBP needs at least 20 x 20 pixels with these parameters, "
            "but image 0 is 20 x 19 pixels.",
        ),
        (
            DenseLBP(patch_sizes=[15]),
            "DenseLBP: patch size 15 is not a multiple of cells=2. Use multiples of 2.",
        ),
        (
            DenseLBP(20, 3, "default"),
            'DenseLBP: method="default" supports at most 16 points, got 20. Use "uniform" '
            'or "nri_uniform", which have fewer bins.',
        ),
    ],
)
def test_refusals(stage, problem):
    with pytest.raises(ValueError) as error:
        stage.fit([np.zeros((20, 19), np.float32)])
    assert str(error.value) == problem
