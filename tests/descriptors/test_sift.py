import pickle
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from featx import SIFT, DenseSIFT


def pixels(seed=0, shape=(96, 120)):
    """Draw blobs of several sizes."""
    noise = np.random.default_rng(seed).random(shape, np.float32)
    smooth = sum(cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (1, 3, 6))
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


@pytest.mark.parametrize(
    ("given_parameters", "of_opencv"),
    [
        ({}, {}),
        ({"n_features": 20}, {"nfeatures": 20}),
        ({"contrast_threshold": 0.1}, {"contrastThreshold": 0.1}),
        ({"edge_threshold": 2.0}, {"edgeThreshold": 2.0}),
        ({"sigma": 2.0}, {"sigma": 2.0}),
    ],
)
def test_key_points_and_descriptors_are_those_of_opencv(given_parameters, of_opencv):
    sift = cv2.SIFT_create(**of_opencv, enable_precise_upscale=True)
    points, expected = sift.detectAndCompute(pixels(), None)
    (found,) = SIFT(**given_parameters).fit_transform([pixels()])
    assert len(points) > 5
    places = np.array([point.pt[::-1] for point in points], np.float32)
    np.testing.assert_array_equal(found.positions, places)
    np.testing.assert_allclose(found.scales, [1.5 * point.size for point in points], rtol=1e-6)
    expected = expected / np.linalg.norm(expected.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-6)
    assert found.size == (96, 120)
    for array in (found.values, found.positions, found.scales):
        assert array.dtype == np.float32


def test_root_is_the_square_root_of_shares():
    (plain,) = SIFT().fit_transform([pixels()])
    (root,) = SIFT(root=True).fit_transform([pixels()])
    shares = plain.values / plain.values.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(root.values, np.sqrt(shares), atol=1e-6)


def test_an_upright_key_point_is_described_as_by_dense_sift():
    # Gradients that point to the right give a blob's orientation; its bins then lie on a grid.
    rows, columns = np.mgrid[:97, :97] - 48.0
    blob = np.exp(-(rows**2 + columns**2) / (2 * 6.0**2))
    tilted = np.rint(255 * (0.6 * blob + 0.3 * (columns + 48) / 96)).astype(np.uint8)
    (found,) = SIFT().fit_transform([tilted])
    middle = np.flatnonzero((np.abs(found.positions - 48) < 2).all(axis=1))
    assert len(middle) > 0
    # The scale space has been smoothed to the key point's scale, a third of its bin.
    b = int(2 * np.rint(found.scales[middle[0]] / 2))
    stage = DenseSIFT(step=1, bin_sizes=[b], magnification=3.0, window="gaussian")
    (dense,) = stage.fit_transform([tilted])
    near = np.abs(dense.positions - np.rint(found.positions[middle[0]])).sum(axis=1).argmin()
    assert found.values[middle[0]] @ dense.values[near] > 0.95


def test_turned_images_have_the_same_key_points_and_descriptors():
    (plain,) = SIFT().fit_transform([pixels()])
    (turned,) = SIFT().fit_transform([np.rot90(pixels())])
    back = np.stack([turned.positions[:, 1], 119 - turned.positions[:, 0]], axis=1)
    found = 0
    for position, scale, value in zip(plain.positions, plain.scales, plain.values, strict=True):
        near = (np.abs(back - position).max(axis=1) < 0.5) & (np.abs(turned.scales - scale) < 0.5)
        found += bool(near.any()) and (turned.values[near] @ value).max() > 0.95
    assert found > 0.8 * len(plain)


@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (1, 40), (7, 3)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_image_has_no_key_points(shape, value):
    (found,) = SIFT().fit_transform([np.full(shape, value, np.float32)])
    assert found.values.shape == (0, 128)
    assert found.positions.shape == (0, 2)
    assert found.scales.shape == (0,)
    assert found.size == shape
    assert found.values.dtype == found.positions.dtype == found.scales.dtype == np.float32
    assert found.relative_positions.shape == (0, 2)


def test_threads_share_a_stage_that_has_been_pickled():
    stage = pickle.loads(pickle.dumps(SIFT(n_features=50)))
    images = [pixels(seed) for seed in range(8)]
    expected = stage.fit_transform(images)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda image: stage.transform([image])[0], images))
    for one, other in zip(results, expected, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.positions, other.positions)


def test_names_tell_the_bin_of_each_entry():
    names = SIFT().fit([pixels()]).get_feature_names_out()
    expected = [f"sift_row{r}_column{c}_bin{o}" for r, c, o in np.ndindex(4, 4, 8)]
    assert names.tolist() == expected


def test_values_outside_zero_to_one_are_refused():
    with pytest.raises(ValueError) as error:
        SIFT().fit_transform([np.array([[-0.5, 2.0]], np.float32)])
    assert str(error.value) == (
        "SIFT: values must be in [0, 1], got values from -0.5 to 2. "
        "Rescale them; uint8 images are rescaled automatically."
    )
