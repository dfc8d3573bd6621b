import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featx import DensePatches, ReadImages


def literal(image, patch_size, spacings, step, epsilon):
    """Compute the class's formula patch by patch, in float64."""
    image = image.astype(np.float64)
    values, positions, scales = [], [], []
    for spacing in spacings:
        side = spacing * (patch_size - 1) + 1
        for top in range(0, image.shape[0] - side + 1, step):
            for left in range(0, image.shape[1] - side + 1, step):
                patch = image[top : top + side : spacing, left : left + side : spacing]
                patch = patch - patch.mean()
                values.append(patch.ravel() / np.sqrt((patch**2).mean() + epsilon))
                positions.append((top + (side - 1) / 2, left + (side - 1) / 2))
                scales.append(side)
    return np.array(values), np.array(positions), np.array(scales)


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(10, 24), st.integers(10, 24), st.integers(1, 4)),
    st.integers(1, 8),
    st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True).map(lambda some: [1, *some]),
    st.integers(1, 7),
    st.sampled_from([1e-6, 1.5e-4, 1.0]),
)
def test_patches_are_the_literal_formula(seed, shape, patch_size, spacings, step, epsilon):
    image = np.random.default_rng(seed).random(shape, np.float32)
    (found,) = DensePatches(patch_size, spacings, step, epsilon).fit_transform([image])
    values, positions, scales = literal(image, patch_size, spacings, step, epsilon)
    assert found.values.dtype == found.positions.dtype == found.scales.dtype == np.float32
    assert found.size == shape[:2]
    np.testing.assert_allclose(found.values, values, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.positions, positions)
    np.testing.assert_array_equal(found.scales, scales)


def test_photographs_are_the_literal_formula(real_data):
    path = sorted((real_data / "scenes8" / "train" / "street").iterdir())[0]
    (image,) = ReadImages(size=(60, 64)).fit_transform([path])
    stage = DensePatches(spacings=[1, 3], step=5)
    values, _, _ = literal(image / np.float32(255), 8, [1, 3], 5, 1.5e-4)
    np.testing.assert_allclose(stage.fit_transform([image])[0].values, values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("value", [0, 0.3, 7e5])
@pytest.mark.parametrize("patch_size", [1, 3, 8])
def test_even_images_give_zeros(value, patch_size):
    image = np.full((15, 15, 3), value, np.float32)
    (found,) = DensePatches(patch_size, [1, 2]).fit_transform([image])
    np.testing.assert_array_equal(found.values, np.zeros(found.shape, np.float32))


def test_brightness_and_contrast_do_not_matter():
    image = np.random.default_rng(0).random((20, 20, 1), np.float32)
    stage = DensePatches(epsilon=1e-12).fit([image])
    found, other = stage.transform([image, 3 + 0.25 * image])
    np.testing.assert_allclose(found.values, other.values, atol=1e-4)


def test_spacings_that_do_not_fit_are_left_out():
    image = np.random.default_rng(0).random((22, 40), np.float32)
    (found,) = DensePatches(spacings=[4, 3, 1]).fit_transform([image])
    assert sorted(set(found.scales.tolist())) == [8, 22]


def test_names_tell_where_each_entry_is_from():
    stage = DensePatches(2).fit([np.zeros((4, 4, 3), np.float32)])
    assert stage.get_feature_names_out().tolist() == [
        f"{channel}_patch{row}_{column}"
        for row in (0, 1)
        for column in (0, 1)
        for channel in ("red", "green", "blue")
    ]


def test_too_small():
    with pytest.raises(ValueError) as error:
        DensePatches(spacings=[3, 2]).fit([np.zeros((15, 14), np.float32)])
    assert str(error.value) == (
        "DensePatches needs at least 15 x 15 pixels with these parameters, "
        "but image 0 is 15 x 14 pixels."
    )
