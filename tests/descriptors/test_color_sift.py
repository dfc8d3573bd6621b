import cv2
import numpy as np
import pytest
from scipy import ndimage

from featx import ColorSIFT, DenseSIFT, Grayscale
from featx.descriptors.dense_sift import mirror_sift

SPACES = ("opponent", "c", "rgb", "hue")


def colors(seed=0, shape=(32, 30)):
    return np.random.default_rng(seed).random((*shape, 3), np.float32)


def opponent(image):
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    return (
        (red - green) / np.sqrt(2),
        (red + green - 2 * blue) / np.sqrt(6),
        (red + green + blue) / np.sqrt(3),
    )


def smoothed(image, bin_size, magnification=6.0):
    sigma = np.sqrt((bin_size / magnification) ** 2 - 0.25)
    return ndimage.gaussian_filter(
        image.astype(np.float64), (sigma, sigma, 0), mode="nearest", truncate=4.0
    )


def side_by_side(planes, **parameters):
    """Describe planes that have been smoothed, each by itself."""
    stage = DenseSIFT(magnification=None, **parameters)
    found = [stage.fit_transform([plane.astype(np.float32)])[0].values for plane in planes]
    return np.concatenate(found, axis=1)


def literal_hues(image, bin_size, positions, root):
    """Add up hues pixel by pixel, in float64."""
    red_green, yellow_blue, _ = opponent(image)
    hue = np.arctan2(red_green, yellow_blue) % (2 * np.pi) * 37 / (2 * np.pi)
    away = np.abs((hue[..., None] - np.arange(37) + 18.5) % 37 - 18.5)
    votes = np.hypot(red_green, yellow_blue)[..., None] * np.maximum(0, 1 - away)
    rows, columns = np.arange(image.shape[0]), np.arange(image.shape[1])
    vectors = []
    for y, x in positions:
        inside = votes[np.abs(rows - y) < 2 * bin_size][:, np.abs(columns - x) < 2 * bin_size]
        h = inside.sum(axis=(0, 1))
        vectors.append(np.sqrt(h / h.sum()) if root else h / np.linalg.norm(h))
    return np.array(vectors)


@pytest.mark.parametrize("window", ["flat", "gaussian"])
@pytest.mark.parametrize("root", [False, True])
def test_three_channels_are_described_each_by_itself(window, root):
    image = colors()
    smooth = smoothed(image, 5)
    red_green, yellow_blue, intensity = opponent(smooth)
    lightness = intensity + np.sqrt(3) / 100
    planes = {
        "opponent": (red_green, yellow_blue, intensity),
        "c": (red_green / lightness, yellow_blue / lightness, intensity),
        "rgb": np.moveaxis(smooth, 2, 0),
    }
    shared = {"step": 3, "bin_sizes": [5], "window": window, "root": root}
    for space, expected in planes.items():
        (found,) = ColorSIFT(space, **shared).fit_transform([image])
        assert found.shape == (30, 384)
        np.testing.assert_allclose(found, side_by_side(expected, **shared), rtol=0, atol=1e-5)


@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("bin_size", [4, 5])
def test_hues_stand_behind_the_descriptor_of_the_grey_value(root, bin_size):
    image = colors()
    shared = {"step": 3, "bin_sizes": [bin_size], "root": root}
    (found,) = ColorSIFT("hue", **shared).fit_transform([image])
    (gray,) = DenseSIFT(**shared).fit_transform(Grayscale().fit_transform([image]))
    np.testing.assert_allclose(found.values[:, :128], gray.values, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.positions, gray.positions)
    expected = literal_hues(smoothed(image, bin_size), bin_size, found.positions, root)
    np.testing.assert_allclose(found.values[:, 128:], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("pixel", "angle"), [((1, 0, 0), 60), ((0, 1, 0), -60), ((0, 0, 1), 180)])
def test_a_colour_counts_for_its_hue(pixel, angle):
    image = np.full((13, 13, 3), pixel, np.uint8) * np.uint8(255)
    (found,) = ColorSIFT("hue", bin_sizes=[4]).fit_transform([image])
    place = angle % 360 * 37 / 360
    expected = np.zeros(37)
    expected[int(place)], expected[int(place) + 1] = 1 - place % 1, place % 1
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(found.values[0, 128:], expected, atol=1e-6)
    np.testing.assert_array_equal(found.values[0, :128], np.zeros(128))


def test_places_and_sizes_are_those_of_dense_sift():
    shared = {"step": 5, "bin_sizes": [3, 4], "image_scales": [1, 0.7], "mirrored": True}
    (gray,) = DenseSIFT(**shared).fit_transform([np.zeros((40, 50), np.float32)])
    for space in SPACES:
        (found,) = ColorSIFT(space, **shared).fit_transform([np.zeros((40, 50, 3), np.float32)])
        np.testing.assert_array_equal(found.positions, gray.positions)
        np.testing.assert_array_equal(found.scales, gray.scales)
        assert found.size == (40, 50)


def test_opponent_colours_ignore_what_is_added_and_shares_what_multiplies():
    image = 0.2 + 0.5 * colors()
    plain, brighter, lit = (
        ColorSIFT("opponent", contrast_threshold=0).fit_transform([x])[0].values[:, :256]
        for x in (image, image + np.float32(0.2), image * np.float32(1.4))
    )
    np.testing.assert_allclose(brighter, plain, atol=1e-4)
    np.testing.assert_allclose(lit, plain, atol=1e-4)
    # A shadow over the right half changes the opponent colors, and hardly their shares.
    shadow = image.copy()
    shadow[:, 15:] *= np.float32(0.5)
    changes = {}
    for space in ("opponent", "c"):
        (before,), (after,) = (ColorSIFT(space).fit_transform([x]) for x in (image, shadow))
        changes[space] = np.abs(after.values - before.values)[:, :256].mean()
    assert changes["c"] < changes["opponent"] / 3


@pytest.mark.parametrize("space", SPACES)
def test_mirrored_descriptors_are_those_of_the_mirrored_image(space):
    image = colors(shape=(30, 28))
    stage = ColorSIFT(space, step=1, bin_sizes=[5])
    (plain,) = stage.fit_transform([image])
    (flipped,) = stage.fit_transform([image[:, ::-1]])
    (both,) = stage.set_params(mirrored=True).fit_transform([image])
    np.testing.assert_array_equal(both.values[: len(plain)], plain.values)
    added = both[len(plain) :]
    order = np.lexsort((added.positions[:, 1], added.positions[:, 0]))
    np.testing.assert_array_equal(added.positions[order], flipped.positions)
    np.testing.assert_allclose(added.values[order], flipped.values, rtol=0, atol=1e-5)
    if space != "hue":
        np.testing.assert_array_equal(mirror_sift(added.values), plain.values)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_grey_image_gives_zeros(space, root, value):
    stage = ColorSIFT(space, root=root, contrast_threshold=0)
    (found,) = stage.fit_transform([np.full((41, 33, 3), value, np.float32)])
    np.testing.assert_array_equal(found.values, np.zeros(found.shape, np.float32))


def test_a_grey_photograph_has_no_colours(real_data):
    path = next((real_data / "scenes15" / "train").glob("*/*.jpg"))
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    image = np.repeat(gray[..., None], 3, axis=2)
    for space in ("opponent", "c"):
        (found,) = ColorSIFT(space, step=8, contrast_threshold=0).fit_transform([image])
        assert not found.values[:, :256].any()
        assert found.values[:, 256:].any()
    (found,) = ColorSIFT("hue", step=8).fit_transform([image])
    assert not found.values[:, 128:].any()


def test_names_tell_channel_bin_and_hue():
    bins = DenseSIFT().fit([np.zeros((20, 20), np.float32)]).get_feature_names_out().tolist()
    channels = {
        "opponent": ["red_green", "yellow_blue", "intensity"],
        "c": ["red_green_share", "yellow_blue_share", "intensity"],
        "rgb": ["red", "green", "blue"],
    }
    expected = {s: [f"{c}_{name}" for c in channels[s] for name in bins] for s in channels}
    expected["hue"] = [*bins, *(f"hue{n}" for n in range(37))]
    for space in SPACES:
        stage = ColorSIFT(space).fit([np.zeros((20, 20, 3), np.float32)])
        assert stage.get_feature_names_out().tolist() == expected[space]


def test_grey_images_are_refused():
    with pytest.raises(ValueError) as error:
        ColorSIFT().fit([np.zeros((20, 20), np.float32)])
    assert str(error.value) == "ColorSIFT: expected images of 3 channels, but image 0 has 1."
