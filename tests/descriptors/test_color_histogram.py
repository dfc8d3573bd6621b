import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featx import ColorHistogram, ColorSpace

RANGES = {
    "rgb": [(0, 1), (0, 1), (0, 1)],
    "hsv": [(0, 1), (0, 1), (0, 1)],
    "ycbcr": [(0, 1), (0, 1), (0, 1)],
    "lab": [(0, 100), (-128, 128), (-128, 128)],
    "luv": [(0, 100), (-128, 192), (-160, 128)],
    "opponent": [
        (-np.sqrt(1 / 2), np.sqrt(1 / 2)),
        (-np.sqrt(2 / 3), np.sqrt(2 / 3)),
        (0, np.sqrt(3)),
    ],
}


def literal(image, bins, space, joint, grid, norm):
    """Count each cell with numpy's own histograms."""
    colors = image if space == "rgb" else ColorSpace(space).fit_transform([image])[0]
    height, width = image.shape[:2]
    low, high = np.transpose(RANGES[space])
    colors = colors + 1e-3 * (high - low) / bins
    # numpy leaves out what is beyond the ends.
    colors = np.clip(colors, low, high)
    shares = []
    for i in range(grid[0]):
        for j in range(grid[1]):
            cell = colors[
                i * height // grid[0] : (i + 1) * height // grid[0],
                j * width // grid[1] : (j + 1) * width // grid[1],
            ].reshape(-1, 3)
            if joint:
                counts = [np.histogramdd(cell, bins, RANGES[space])[0].ravel()]
            else:
                counts = [np.histogram(cell[:, c], bins[c], RANGES[space][c])[0] for c in range(3)]
            shares += [count / len(cell) for count in counts]
    shares = np.concatenate(shares)
    return np.sqrt(shares) if norm == "L1-sqrt" else shares


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(list(RANGES)),
    st.booleans(),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.sampled_from(["L1", "L1-sqrt"]),
)
def test_the_shares_are_those_of_numpy(seed, bins, space, joint, grid, norm):
    image = np.random.default_rng(seed).random((13, 17, 3), np.float32)
    stage = ColorHistogram(bins, space, joint, grid, norm)
    expected = literal(image, bins, space, joint, grid, norm)
    np.testing.assert_allclose(stage.fit_transform([image])[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bins", [1, 2, 4, 5, 8, 16])
def test_whole_numbers_of_8_bits_fall_where_numpy_puts_them(bins):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    image = np.repeat(levels, 3, axis=2)
    shares = ColorHistogram(bins, joint=False).fit_transform([image])[0].reshape(3, bins)
    scaled = (levels / np.float32(255)).astype(np.float64)
    expected, _ = np.histogram(scaled, bins, (0, 1))
    for share in shares:
        np.testing.assert_allclose(share, expected / 256, atol=1e-7)


@pytest.mark.parametrize("space", list(RANGES))
def test_every_colour_lies_within_the_ranges(space):
    cube = np.stack(np.meshgrid(*[np.linspace(0, 1, 18)] * 3), axis=-1).reshape(18, -1, 3)
    colors = cube.astype(np.float32)
    if space != "rgb":
        colors = ColorSpace(space).fit_transform([colors])[0]
    low, high = np.transpose(RANGES[space])
    assert (colors >= low - 1e-3).all()
    assert (colors <= high + 1e-3).all()


@pytest.mark.parametrize("space", list(RANGES))
@pytest.mark.parametrize("value", [0, 0.4, 1])
def test_an_image_of_one_colour_fills_one_bin(space, value):
    image = np.full((30, 41, 3), value, np.float32)
    (vector,) = ColorHistogram(space=space).fit_transform([image])
    assert np.sort(vector)[-2:].tolist() == [0, 1]


def test_names_say_which_colours_in_which_cell():
    image = np.zeros((2, 4, 3), np.float32)
    image[:, 2:] = [1, 0, 1]
    stage = ColorHistogram((2, 1, 3), grid=(1, 2)).fit([image])
    names = stage.get_feature_names_out()
    (vector,) = stage.transform([image])
    assert len(set(names)) == len(vector) == 12
    assert names[vector > 0].tolist() == ["red0_green0_blue0_cell0_0", "red1_green0_blue2_cell0_1"]
    stage = ColorHistogram((2, 1, 3), "hsv", joint=False, grid=(1, 2)).fit([image])
    names = stage.get_feature_names_out()
    (vector,) = stage.transform([image])
    assert len(set(names)) == len(vector) == 12
    # Magenta: 300 degrees.
    assert names[(vector > 0)].tolist()[3:] == [
        "hue_bin1_cell0_1",
        "saturation_bin0_cell0_1",
        "value_bin2_cell0_1",
    ]


def test_values_beyond_1_are_refused():
    with pytest.raises(ValueError) as error:
        ColorHistogram().fit_transform([np.full((2, 2, 3), 1.5, np.float32)])
    assert str(error.value) == (
        "ColorHistogram: color values must be in [0, 1], got values from 1.5 to 1.5. Rescale them; "
        "uint8 images are rescaled automatically."
    )


def test_grey_is_refused():
    with pytest.raises(ValueError) as error:
        ColorHistogram().fit([np.zeros((4, 4), np.float32)])
    assert str(error.value) == "ColorHistogram: expected images of 3 channels, but image 0 has 1."
