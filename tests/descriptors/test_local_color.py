import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featx import LocalColor


def literal(image, patch_sizes, cells, step):
    """Compute the class's formula window by window, in float64."""
    image = image.astype(np.float64)
    values, positions, scales = [], [], []
    for side in patch_sizes:
        for top in range(0, image.shape[0] - side + 1, step):
            for left in range(0, image.shape[1] - side + 1, step):
                window = image[top : top + side, left : left + side]
                parts = [
                    part
                    for row in np.split(window, cells, axis=0)
                    for cell in np.split(row, cells, axis=1)
                    for part in (cell.mean(axis=(0, 1)), cell.std(axis=(0, 1)))
                ]
                values.append(np.concatenate(parts))
                positions.append((top + (side - 1) / 2, left + (side - 1) / 2))
                scales.append(side)
    return np.array(values), np.array(positions), np.array(scales)


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(9, 24), st.integers(9, 24), st.integers(1, 4)),
    st.integers(1, 4),
    st.lists(st.integers(1, 2), min_size=1, max_size=2, unique=True),
    st.integers(1, 7),
)
def test_statistics_are_the_literal_formula(seed, shape, cells, sides, step):
    image = np.random.default_rng(seed).random(shape, np.float32)
    patch_sizes = [cells * side for side in sides]
    (found,) = LocalColor(patch_sizes, cells, step).fit_transform([image])
    values, positions, scales = literal(image, patch_sizes, cells, step)
    assert found.values.dtype == found.positions.dtype == found.scales.dtype == np.float32
    assert found.size == shape[:2]
    np.testing.assert_allclose(found.values, values, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.positions, positions)
    np.testing.assert_array_equal(found.scales, scales)


def test_values_far_from_zero_lose_no_digits():
    image = 1000 + np.random.default_rng(0).random((40, 300, 1)).astype(np.float32)
    (found,) = LocalColor([8], 2).fit_transform([image])
    np.testing.assert_allclose(found.values, literal(image, [8], 2, 4)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [0, 0.3, 7e5])
def test_even_images_have_no_deviation(value):
    image = np.full((50, 50, 3), value, np.float32)
    (found,) = LocalColor().fit_transform([image])
    statistics = found.values.reshape(-1, 16, 2, 3)
    np.testing.assert_array_equal(statistics[:, :, 0], np.float32(value))
    np.testing.assert_array_equal(statistics[:, :, 1], 0)


def test_sizes_that_do_not_fit_are_left_out():
    (found,) = LocalColor([32, 24, 16]).fit_transform([np.zeros((24, 40, 3), np.float32)])
    assert sorted(set(found.scales.tolist())) == [16, 24]
    assert found.shape == (3 * 7 + 5, 96)


def test_names_tell_where_each_entry_is_from():
    stage = LocalColor([4], cells=2).fit([np.zeros((4, 4, 3), np.float32)])
    assert stage.get_feature_names_out().tolist() == [
        f"{channel}_cell{row}_{column}_{statistic}"
        for row in (0, 1)
        for column in (0, 1)
        for statistic in ("mean", "standard_deviation")
        for channel in ("red", "green", "blue")
    ]


@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        (
            LocalColor([24, 20]),
            "LocalColor needs at least 20 x 20 pixels with these parameters, "
            "but image 0 is 20 x 19 pixels.",
        ),
        (
            LocalColor([16, 18]),
            "LocalColor: patch size 18 is not a multiple of cells=4. Use multiples of 4.",
        ),
    ],
)
def test_refusals(stage, problem):
    with pytest.raises(ValueError) as error:
        stage.fit([np.zeros((20, 19), np.float32)])
    assert str(error.value) == problem
