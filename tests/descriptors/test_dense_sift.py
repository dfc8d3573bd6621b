import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from featx import DenseSIFT
from featx.descriptors.dense_sift import mirror_sift

WINDOWS = ("flat", "gaussian")
parameters = st.fixed_dictionaries(
    {
        "step": st.integers(1, 9),
        "bin_sizes": st.lists(st.integers(1, 7), min_size=1, max_size=2),
        "magnification": st.sampled_from([None, 2.5, 6.0]),
        "window": st.sampled_from(WINDOWS),
        "root": st.booleans(),
    }
)


def literal(image, step=4, bin_sizes=(4,), magnification=6.0, window="flat", root=False):
    """Compute bin by bin what the class says, in float64; no descriptor is left out."""
    return np.concatenate(
        [literal_of_size(image, step, b, magnification, window, root) for b in bin_sizes]
    )


def literal_of_size(image, step, b, magnification, window, root):
    image = image.astype(np.float64)
    if magnification is not None and (b / magnification) ** 2 > 0.25:
        sigma = np.sqrt((b / magnification) ** 2 - 0.25)
        image = ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=4.0)
    down, across = np.gradient(image)
    degrees = np.rad2deg(np.arctan2(-down, across))
    away = np.abs((degrees - 45 * np.arange(8)[:, None, None] + 180) % 360 - 180)
    planes = np.hypot(down, across) * np.maximum(0, 1 - away / 45)
    planes = np.pad(planes, ((0, 0), (b - 1, b - 1), (b - 1, b - 1)), mode="edge")
    z = np.arange(1 - b, b)
    gaussian = [np.exp(-((z + b * (r - 1.5)) ** 2) / (2 * (2 * b) ** 2)) for r in range(4)]
    window = [w if window == "gaussian" else np.full(len(z), w.mean()) for w in gaussian]
    kernels = [w * (1 - np.abs(z) / b) for w in window]
    vectors = []
    for y in range(0, image.shape[0] - 3 * b, step):
        for x in range(0, image.shape[1] - 3 * b, step):
            h = np.empty((4, 4, 8))
            for r in range(4):
                for c in range(4):
                    top, left = y + r * b, x + c * b
                    around = planes[:, top : top + len(z), left : left + len(z)]
                    h[r, c] = kernels[r] @ around @ kernels[c]
            h = h.ravel() / np.linalg.norm(h)
            h = np.minimum(h, 0.2)
            vectors.append(np.sqrt(h / h.sum()) if root else h / np.linalg.norm(h))
    return np.array(vectors)


def photographs(real_data, every):
    paths = sorted((real_data / "scenes8" / "train").glob("*/*.jpg"))[::every]
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]


def keypoint_descriptors(pixels, positions, bin_size):
    """Compute what OpenCV gives at upright key points whose bins have this size."""
    sift = cv2.SIFT_create(sigma=bin_size / 6)
    points = [cv2.KeyPoint(float(x), float(y), bin_size / 1.5, 0) for y, x in positions]
    kept, vectors = sift.compute(pixels, points)
    assert len(kept) == len(points)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), parameters, st.integers(22, 45), st.integers(22, 33))
def test_noise_gives_the_literal_formula(seed, given_parameters, height, width):
    image = np.random.default_rng(seed).random((height, width), np.float32)
    (found,) = DenseSIFT(**given_parameters).fit_transform([image])
    expected = literal(image, **given_parameters)
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("root", [False, True])
def test_photographs_give_the_literal_formula(real_data, window, root):
    stage = DenseSIFT(step=23, bin_sizes=[4, 9, 16], window=window, root=root)
    for pixels in photographs(real_data, 600):
        (found,) = stage.fit_transform([pixels])
        expected = literal(pixels / 255, 23, (4, 9, 16), window=window, root=root)
        contrast = found.values.any(axis=1)
        assert contrast.mean() > 0.4  # skies have little
        np.testing.assert_allclose(found.values[contrast], expected[contrast], rtol=0, atol=1e-5)


# Where all that the Gaussian window weighs lies within the image, what is left is that OpenCV
# rounds to whole numbers of 512ths; the flat window has steps between bins; and outside the image
# OpenCV sees nothing, where VLFeat and DenseSIFT continue the border.
@pytest.mark.parametrize(
    ("window", "everywhere", "inside"), [("gaussian", 0.99, 0.9999), ("flat", 0.99, 0.997)]
)
@pytest.mark.parametrize("bin_size", [4, 8, 16])
def test_photographs_give_the_descriptors_of_opencv(
    real_data, window, everywhere, inside, bin_size
):
    stage = DenseSIFT(step=7, bin_sizes=[bin_size], window=window)
    for pixels in photographs(real_data, 300):
        (found,) = stage.fit_transform([pixels])
        expected = keypoint_descriptors(pixels, found.positions, bin_size)
        cosines = (found.values * expected).sum(axis=1)
        contrast = found.values.any(axis=1)
        reach = 2.5 * bin_size + 1
        within = (np.abs(found.positions - 127.5) <= 127.5 - reach).all(axis=1)
        assert cosines[contrast].mean() > everywhere
        assert cosines[contrast & within].mean() > inside


@pytest.mark.parametrize("orientation", range(8))
@pytest.mark.parametrize("window", WINDOWS)
def test_a_ramp_counts_for_the_orientation_in_which_it_rises(orientation, window):
    rows, columns = np.mgrid[:40, :40]
    angle = np.deg2rad(45 * orientation)
    image = (np.rint(np.cos(angle)) * columns - np.rint(np.sin(angle)) * rows) / 64
    stage = DenseSIFT(bin_sizes=[4], magnification=None, window=window)
    (found,) = stage.fit_transform([image.astype(np.float32)])
    inside = (np.abs(found.positions - 19.5) < 7).all(axis=1)
    histograms = found.values[inside].reshape(-1, 16, 8)
    assert len(histograms) == 16
    assert (histograms[..., orientation] > 0.1).all()
    np.testing.assert_allclose(np.delete(histograms, orientation, axis=2), 0, atol=1e-6)


def test_places_are_ordered_by_image_scale_bin_size_row_and_column():
    stage = DenseSIFT(step=3, bin_sizes=[2, 5, 9], image_scales=[1, 0.5])
    (found,) = stage.fit_transform([np.zeros((24, 40), np.float32)])
    # At the first scale 9 needs 28 pixels; at the second, 5 needs 16 of 12 x 20.
    expected, scales = [], []
    for factor, b, height, width in ((1, 2, 24, 40), (1, 5, 24, 40), (2, 2, 12, 20)):
        for y in range(0, height - 3 * b, 3):
            for x in range(0, width - 3 * b, 3):
                expected.append(
                    [(y + 1.5 * b + 0.5) * factor - 0.5, (x + 1.5 * b + 0.5) * factor - 0.5]
                )
                scales.append(b * factor)
    np.testing.assert_array_equal(found.positions, np.array(expected, np.float32))
    np.testing.assert_array_equal(found.scales, np.array(scales, np.float32))
    assert found.size == (24, 40)
    assert found.positions.dtype == found.scales.dtype == np.float32


@pytest.mark.parametrize("scale", [0.5, 0.7, 2.0])
def test_an_image_scale_is_a_resized_image(scale):
    image = np.random.default_rng(0).random((61, 50), np.float32)
    size = (int(50 * scale + 0.5), int(61 * scale + 0.5))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, size, interpolation=method)
    (found,) = DenseSIFT(image_scales=[scale], bin_sizes=[4]).fit_transform([image])
    (expected,) = DenseSIFT(bin_sizes=[4]).fit_transform([resized])
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_allclose(found.relative_positions, expected.relative_positions, atol=1e-6)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("root", [False, True])
def test_mirrored_descriptors_are_those_of_the_mirrored_image(window, root):
    image = np.random.default_rng(0).random((30, 32), np.float32)
    stage = DenseSIFT(step=1, bin_sizes=[4, 5], window=window, root=root)
    (plain,) = stage.fit_transform([image])
    (flipped,) = stage.fit_transform([image[:, ::-1]])
    (both,) = stage.set_params(mirrored=True).fit_transform([image])
    np.testing.assert_array_equal(both.values[: len(plain)], plain.values)
    np.testing.assert_array_equal(both.positions[: len(plain)], plain.positions)
    np.testing.assert_array_equal(both.scales, np.tile(plain.scales, 2))
    places = {
        (*p, s): v
        for p, s, v in zip(flipped.positions.tolist(), flipped.scales, flipped.values, strict=True)
    }
    added = both[len(plain) :]
    assert len(places) == len(added)
    expected = [places[*p, s] for p, s in zip(added.positions.tolist(), added.scales, strict=True)]
    np.testing.assert_allclose(added.values, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(mirror_sift(added.values), plain.values)


def test_several_descriptors_side_by_side_are_mirrored_each():
    values = np.random.default_rng(0).random((5, 384), np.float32)
    expected = [mirror_sift(part) for part in np.split(values, 3, axis=1)]
    np.testing.assert_array_equal(mirror_sift(values), np.concatenate(expected, axis=1))


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("root", [False, True])
def test_a_constant_image_gives_zeros(value, window, root):
    stage = DenseSIFT(bin_sizes=[1, 4, 13], window=window, root=root, contrast_threshold=0)
    (found,) = stage.fit_transform([np.full((47, 61), value, np.float32)])
    np.testing.assert_array_equal(found.values, np.zeros(found.shape, np.float32))


def test_descriptors_of_little_contrast_are_zero():
    noise = np.random.default_rng(0).random((40, 40), np.float32) * 0.1
    stage = DenseSIFT(step=2, bin_sizes=[4], contrast_threshold=0)
    (every,) = stage.fit_transform([noise])
    smooth = ndimage.gaussian_filter(
        noise.astype(np.float64), np.sqrt(16 / 36 - 0.25), mode="nearest"
    )
    lengths = np.pad(np.hypot(*np.gradient(smooth)), 3, mode="edge")
    z = np.arange(-3, 4)
    weights = [np.exp(-((z + 4 * (r - 1.5)) ** 2) / 128).mean() for r in range(4)]
    kernel = np.zeros(3 * 4 + 7)
    for r in range(4):
        kernel[4 * r : 4 * r + 7] += weights[r] * (1 - np.abs(z) / 4)
    # The orientations of a gradient add up to its length.
    contrasts = [
        kernel @ lengths[y : y + 19, x : x + 19] @ kernel / 13**2
        for y in range(0, 28, 2)
        for x in range(0, 28, 2)
    ]
    threshold = np.median(contrasts) + 1e-6
    (found,) = stage.set_params(contrast_threshold=threshold).fit_transform([noise])
    above = np.array(contrasts) >= threshold
    assert 90 < above.sum() < 106
    np.testing.assert_array_equal(found.values, every.values * above[:, None])


def test_lengths_are_one_and_no_entry_was_much_above_a_fifth():
    image = np.random.default_rng(0).random((50, 50), np.float32)
    image[:, 25:] += 3
    (plain,) = DenseSIFT().fit_transform([image])
    (root,) = DenseSIFT(root=True).fit_transform([image])
    np.testing.assert_allclose(np.linalg.norm(plain.values, axis=1), 1, atol=1e-6)
    sums = plain.values.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(root.values, np.sqrt(plain.values / sums), atol=1e-6)


@pytest.mark.parametrize("window", WINDOWS)
def test_batches_are_lists_of_singles_and_stay_as_they_are(window):
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 33, 1), np.uint8)
    before = images.copy()
    images.setflags(write=False)
    stage = DenseSIFT(window=window).fit(images)
    found = stage.transform(images)
    for image, one in zip(images, found, strict=True):
        (single,) = stage.transform([image])
        (pixels,) = stage.transform([image.astype(np.float32) / np.float32(255)])
        np.testing.assert_array_equal(one.values, single.values)
        np.testing.assert_array_equal(one.values, pixels.values)
    np.testing.assert_array_equal(images, before)


def test_names_tell_the_bin_of_each_entry():
    stage = DenseSIFT().fit([np.zeros((20, 20), np.float32)])
    names = stage.get_feature_names_out()
    expected = [f"sift_row{r}_column{c}_bin{o}" for r, c, o in np.ndindex(4, 4, 8)]
    assert names.tolist() == expected


@pytest.mark.parametrize(
    ("given_parameters", "least"),
    [
        ({}, 13),
        ({"bin_sizes": [8, 6]}, 19),
        ({"image_scales": [0.5, 0.25]}, 25),
        ({"bin_sizes": [1]}, 4),
    ],
)
def test_too_small(given_parameters, least):
    stage = DenseSIFT(**given_parameters)
    (found,) = stage.fit_transform([np.zeros((least, least), np.float32)])
    assert found.shape == (1, 128)
    with pytest.raises(ValueError) as error:
        stage.transform([np.zeros((least, least - 1), np.float32)])
    assert str(error.value) == (
        f"DenseSIFT needs at least {least} x {least} pixels with these parameters, "
        f"but image 0 is {least} x {least - 1} pixels."
    )


def test_colour_is_refused():
    with pytest.raises(ValueError) as error:
        DenseSIFT().fit([np.zeros((20, 20, 3), np.float32)])
    assert str(error.value) == "DenseSIFT: expected images of 1 channel, but image 0 has 3."
