import colorsys
from itertools import product

import numpy as np
import pytest
from skimage import color

from featx import ColorSpace, Grayscale

# Every corner, edge and face of the cube of colors, and what lies between: (9, 81, 3).
GRID = np.array([*product(np.linspace(0, 1, 9), repeat=3)], np.float32).reshape(9, 81, 3)
FINE = np.random.default_rng(0).random((200, 200, 3), np.float32)


def to(space, image):
    return ColorSpace(space).fit_transform([image])[0]


def test_grey_is_the_luma_of_bt_601():
    result = Grayscale().fit_transform([GRID])[0, ..., 0]
    red, green, blue = np.moveaxis(GRID.astype(np.float64), 2, 0)
    np.testing.assert_allclose(result, 0.299 * red + 0.587 * green + 0.114 * blue, atol=1e-7)
    grays = np.linspace(0, 1, 11, dtype=np.float32)[:, np.newaxis]
    result = Grayscale().fit_transform([np.repeat(grays[..., np.newaxis], 3, axis=2)])
    np.testing.assert_allclose(result[0, ..., 0], grays, rtol=0, atol=1e-7)


def test_grey_images_pass():
    image = GRID[..., :1]
    np.testing.assert_array_equal(Grayscale().fit_transform([image])[0], image)


def test_names_of_grey():
    stage = Grayscale().fit([GRID])
    assert stage.get_feature_names_out().tolist() == ["gray"]


@pytest.mark.parametrize("image", [GRID, FINE], ids=["grid", "random"])
def test_hsv_is_that_of_the_standard_library(image):
    expected = [colorsys.rgb_to_hsv(*pixel) for pixel in image.reshape(-1, 3).astype(np.float64)]
    result = to("hsv", image)
    np.testing.assert_allclose(result.reshape(-1, 3), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(result, color.rgb2hsv(image), rtol=0, atol=1e-5)
    assert result.min() >= 0
    assert result.max() <= 1


def linear_light(image):
    """Undo the transfer function of sRGB, and give X, Y and Z, white being Y = 1."""
    x = image.astype(np.float64)
    light = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    matrix = [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
    return light @ np.transpose(matrix)


WHITE = np.array([0.950456, 1, 1.088754])  # D65


def lightness(y):
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, (29 / 3) ** 3 * y)


def lab(image):
    ratio = linear_light(image) / WHITE
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def luv(image):
    xyz = linear_light(image)

    def chromaticity(xyz):
        x, y, z = np.moveaxis(xyz, -1, 0)
        total = np.maximum(x + 15 * y + 3 * z, 1e-12)
        return 4 * x / total, 9 * y / total

    (u, v), (white_u, white_v) = chromaticity(xyz), chromaticity(WHITE)
    light = lightness(xyz[..., 1])
    return np.stack([light, 13 * light * (u - white_u), 13 * light * (v - white_v)], axis=-1)


@pytest.mark.parametrize("image", [GRID, FINE, FINE / 50], ids=["grid", "random", "dark"])
@pytest.mark.parametrize(
    ("space", "formula", "peer"),
    [("lab", lab, color.rgb2lab), ("luv", luv, color.rgb2luv)],
)
def test_cie_spaces_are_their_formulas_closely(space, formula, peer, image):
    result = to(space, image)
    np.testing.assert_allclose(result, formula(image), rtol=0, atol=0.05)
    np.testing.assert_allclose(result, peer(image), rtol=0, atol=0.05)


def test_ycbcr_is_that_of_jpeg():
    for image in (GRID, FINE):
        red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
        # JFIF 1.02, with 1/2 in place of 128 of 256.
        expected = np.stack(
            [
                0.299 * red + 0.587 * green + 0.114 * blue,
                -0.168735892 * red - 0.331264108 * green + 0.5 * blue + 0.5,
                0.5 * red - 0.418687589 * green - 0.081312411 * blue + 0.5,
            ],
            axis=-1,
        )
        result = to("ycbcr", image)
        np.testing.assert_allclose(result, expected, rtol=0, atol=3e-7)
        np.testing.assert_allclose(
            result, color.rgb2ypbpr(image) + np.array([0, 0.5, 0.5]), atol=1e-6
        )


def test_opponent_colours():
    red, green, blue = np.moveaxis(GRID.astype(np.float64), 2, 0)
    expected = np.stack(
        [
            (red - green) / np.sqrt(2),
            (red + green - 2 * blue) / np.sqrt(6),
            (red + green + blue) / np.sqrt(3),
        ],
        axis=-1,
    )
    result = to("opponent", GRID)
    np.testing.assert_allclose(result, expected, rtol=0, atol=3e-7)
    # The axes are turned and nothing else: lengths stay.
    np.testing.assert_allclose(
        np.linalg.norm(result, axis=2), np.linalg.norm(GRID, axis=2), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("space", "names"),
    [
        ("hsv", ["hue", "saturation", "value"]),
        ("lab", ["lightness", "a", "b"]),
        ("luv", ["lightness", "u", "v"]),
        ("ycbcr", ["y", "cb", "cr"]),
        ("opponent", ["red_green", "yellow_blue", "intensity"]),
    ],
)
def test_names(space, names):
    assert ColorSpace(space).fit([GRID]).get_feature_names_out().tolist() == names


@pytest.mark.parametrize("space", ["hsv", "lab", "luv", "ycbcr", "opponent"])
@pytest.mark.parametrize(("low", "high"), [(0, 255), (-0.5, 1), (0, 1.00001)])
def test_values_that_are_no_colours(space, low, high):
    image = np.full((2, 2, 3), low, np.float32)
    image[1, 1, 1] = high
    with pytest.raises(ValueError) as error:
        to(space, image)
    assert str(error.value) == (
        f"ColorSpace: color values must be in [0, 1], got values from {low:g} to {high:g}. "
        "Rescale them; uint8 images are rescaled automatically."
    )
