import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import hog

from featx import HOG

NORMS = ("L1", "L1-sqrt", "L2", "L2-Hys")
# No deadlines: the first call compiles.
seeds = st.integers(0, 2**32 - 1)
parameters = st.fixed_dictionaries(
    {
        "orientations": st.integers(1, 18),
        "pixels_per_cell": st.tuples(st.integers(1, 9), st.integers(1, 9)),
        "cells_per_block": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "block_norm": st.sampled_from(NORMS),
        "transform_sqrt": st.booleans(),
    }
)
# Square roots of whole numbers are left out where pixels are whole: they give directions of
# exactly 60 or 22.5 degrees, of which the last bit of the arithmetic decides.
whole_number_parameters = parameters.map(lambda given: given | {"transform_sqrt": False})
# Pixels beyond the one block that every image has room for.
more_pixels = st.tuples(st.integers(0, 20), st.integers(0, 20))


def shape_for(given_parameters, more):
    cell, block = given_parameters["pixels_per_cell"], given_parameters["cells_per_block"]
    return cell[0] * block[0] + more[0], cell[1] * block[1] + more[1]


def literal(image, orientations, pixels_per_cell, cells_per_block, block_norm, transform_sqrt):
    """Compute pixel by pixel what the class says, in float64; borders as whole cotangents."""
    x = np.sqrt(image) if transform_sqrt else image
    down, across = np.zeros_like(x), np.zeros_like(x)
    down[1:-1], across[:, 1:-1] = x[2:] - x[:-2], x[:, 2:] - x[:, :-2]
    channel = (down**2 + across**2).argmax(axis=2)[..., np.newaxis]
    dy = np.take_along_axis(down, channel, axis=2)[..., 0]
    dx = np.take_along_axis(across, channel, axis=2)[..., 0]
    degrees = np.rad2deg(np.arctan2(dy, dx)) % 180
    (height, width), (block_rows, block_columns) = pixels_per_cell, cells_per_block
    rows, columns = x.shape[0] // height, x.shape[1] // width
    cells = np.zeros((rows, columns, orientations))
    for i in range(rows * height):
        for j in range(columns * width):
            lower = 180 / orientations * np.arange(orientations)
            bin_ = np.flatnonzero(degrees[i, j] >= lower)[-1]
            cells[i // height, j // width, bin_] += np.hypot(dy[i, j], dx[i, j])
    cells /= height * width
    vectors = []
    for i in range(rows - block_rows + 1):
        for j in range(columns - block_columns + 1):
            v = cells[i : i + block_rows, j : j + block_columns].ravel()
            if block_norm in ("L1", "L1-sqrt"):
                v = v / (v.sum() + 1e-5)
                v = np.sqrt(v) if block_norm == "L1-sqrt" else v
            else:
                v = v / np.sqrt((v**2).sum() + 1e-10)
            if block_norm == "L2-Hys":
                v = np.minimum(v, 0.2)
                v = v / np.sqrt((v**2).sum() + 1e-10)
            vectors.append(v)
    return np.concatenate(vectors)


@settings(deadline=None)
@given(seeds, parameters, more_pixels, st.sampled_from([1, 2, 3]))
def test_float_images_are_those_of_scikit_image(seed, given_parameters, more, channels):
    shape = (*shape_for(given_parameters, more), channels)
    image = np.random.default_rng(seed).random(shape, np.float32)
    expected = hog(image.astype(np.float64), **given_parameters, channel_axis=2)
    result = HOG(**given_parameters).fit_transform([image])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected[np.newaxis], rtol=0, atol=2e-6)


@settings(deadline=None)
@given(seeds, whole_number_parameters, more_pixels, st.integers(1, 255))
def test_8_bit_images_are_those_of_scikit_image(seed, given_parameters, more, greatest):
    # Few gray values: gradients of exactly 45, 90 and 135 degrees are frequent.
    shape = shape_for(given_parameters, more)
    image = np.random.default_rng(seed).integers(0, greatest + 1, shape, np.uint8)
    pixels = image.astype(np.float32) / np.float32(255)
    expected = hog(pixels.astype(np.float64), **given_parameters)
    result = HOG(**given_parameters).fit_transform([image])
    np.testing.assert_allclose(result, expected[np.newaxis], rtol=0, atol=2e-6)


@settings(deadline=None)
@given(seeds, whole_number_parameters, more_pixels, st.integers(1, 255))
def test_whole_numbers_as_floats_are_those_of_scikit_image(seed, given_parameters, more, greatest):
    shape = shape_for(given_parameters, more)
    image = np.random.default_rng(seed).integers(0, greatest + 1, shape, np.uint8)
    result = HOG(**given_parameters).fit_transform([image.astype(np.float32)])
    np.testing.assert_allclose(result, hog(image, **given_parameters)[None], rtol=0, atol=2e-6)


@settings(max_examples=50, deadline=None)
@given(
    seeds,
    whole_number_parameters,
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
    st.integers(1, 3),
)
def test_ties_between_channels_go_to_the_first(seed, given_parameters, more, greatest):
    shape = (*shape_for(given_parameters, more), 3)
    image = np.random.default_rng(seed).integers(0, greatest + 1, shape).astype(np.float32)
    expected = literal(image.astype(np.float64), **given_parameters)
    result = HOG(**given_parameters).fit_transform([image])
    np.testing.assert_allclose(result, expected[np.newaxis], rtol=0, atol=2e-6)


@pytest.mark.parametrize("block_norm", NORMS)
@pytest.mark.parametrize("transform_sqrt", [False, True])
@pytest.mark.parametrize("orientations", [1, 8, 9])
@pytest.mark.parametrize("channels", [1, 3])
def test_compiled_loops_are_the_literal_formula(block_norm, transform_sqrt, orientations, channels):
    image = np.random.default_rng(0).random((31, 26, channels), np.float32)
    stage = HOG(orientations, (5, 6), (2, 3), block_norm, transform_sqrt)
    given = {name: value for name, value in stage.get_params().items() if name != "variant"}
    expected = literal(image.astype(np.float64), **given)
    np.testing.assert_allclose(stage.fit_transform([image])[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ((0, 1), 0),
        ((0, -1), 0),
        ((1, 1), 1),
        ((-1, -1), 1),
        ((1, 0), 2),
        ((-1, 0), 2),
        ((1, -1), 3),
        ((-1, 1), 3),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_ramp_falls_into_the_bin_that_begins_at_its_direction(step, expected, dtype):
    rows, columns = np.mgrid[:18, :18]
    image = (100 + rows * step[0] + columns * step[1]).astype(dtype)
    stage = HOG(4, (18, 18), (1, 1), "L1")
    vector = stage.fit_transform([image])[0]
    # On the border of the image one part of the gradient is missing, on corners both.
    if dtype == np.float32:
        inside = 16 * 16 * 2 * np.hypot(*step)
        sides = {0: 16 * 2 * 2 * abs(step[1]), 2: 16 * 2 * 2 * abs(step[0])}
        cells = np.zeros(4)
        cells[expected] += inside
        for n, length in sides.items():
            cells[n] += length
        np.testing.assert_allclose(vector, cells / cells.sum(), rtol=0, atol=1e-5)
    if step[0] == 0 or step[1] == 0:
        assert np.flatnonzero(vector).tolist() == [expected]


def test_a_flat_image_gives_zero():
    for norm in NORMS:
        vector = HOG(block_norm=norm).fit_transform([np.full((30, 30), 0.3, np.float32)])
        np.testing.assert_array_equal(vector, np.zeros((1, 81), np.float32))


@settings(deadline=None)
@given(seeds, parameters, more_pixels)
def test_names_tell_where_each_entry_is_from(seed, given_parameters, more):
    image = np.random.default_rng(seed).random(shape_for(given_parameters, more), np.float32)
    stage = HOG(**given_parameters)
    (vector,) = stage.fit_transform([image])
    names = stage.get_feature_names_out()
    grid = hog(image.astype(np.float64), **given_parameters, feature_vector=False)
    assert len(names) == len(set(names)) == len(vector)
    expected = ["hog_block{}_{}_cell{}_{}_bin{}".format(*index) for index in np.ndindex(grid.shape)]
    assert names.tolist() == expected


def test_grey_images_may_leave_out_the_channel():
    image = np.random.default_rng(0).random((40, 35), np.float32)
    stage = HOG().fit([image])
    np.testing.assert_array_equal(stage.transform([image]), stage.transform([image[..., None]]))


@pytest.mark.parametrize("channels", [1, 3])
def test_batches_are_stacks_of_singles_and_stay_as_they_are(channels):
    images = np.random.default_rng(0).random((5, 32, 40, channels), np.float32)
    before = images.copy()
    images.setflags(write=False)
    stage = HOG().fit(images)
    singles = np.stack([stage.transform([image])[0] for image in images])
    np.testing.assert_array_equal(stage.transform(images), singles)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    ("shape", "size"), [((23, 24), "23 x 24"), ((24, 23), "24 x 23"), ((1, 1, 3), "1 x 1")]
)
def test_too_small(shape, size):
    with pytest.raises(ValueError) as error:
        HOG().fit([np.zeros(shape, np.float32)])
    assert str(error.value) == (
        f"HOG needs at least 24 x 24 pixels with these parameters, but image 0 is {size} pixels."
    )


def test_negative_values_have_no_square_root():
    image = np.zeros((24, 24), np.float32)
    image[3, 4] = -0.25
    assert HOG().fit_transform([image]).any()
    with pytest.raises(ValueError) as error:
        HOG(transform_sqrt=True).fit_transform([image])
    assert str(error.value) == (
        "HOG: transform_sqrt=True requires nonnegative values, got a minimum of -0.25. "
        "Shift the values, or use transform_sqrt=False."
    )
