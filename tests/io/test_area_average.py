import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featx.io.area_average import shrink
from featx.io.resizing import resample

seeds = st.integers(0, 2**32 - 1)


@st.composite
def images_and_sizes(draw):
    height, width = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    image = np.random.default_rng(draw(seeds)).integers(
        0, 256, (height, width, draw(st.sampled_from([1, 2, 3, 4]))), np.uint8
    )
    return image, draw(st.integers(1, height)), draw(st.integers(1, width))


def shares(length, count):
    """Return the weights of a line's pixels in each of ``count`` equal parts."""
    edges = np.arange(count + 1) * (length / count)
    pixels = np.arange(length)
    low = np.maximum(edges[:-1, np.newaxis], pixels)
    high = np.minimum(edges[1:, np.newaxis], pixels + 1)
    return np.clip(high - low, 0, None) * count / length


def area_average(image, height, width):
    down, across = shares(image.shape[0], height), shares(image.shape[1], width)
    rows = np.tensordot(down, image.astype(np.float64), axes=1)
    return np.tensordot(rows, across, axes=(1, 1)).transpose(0, 2, 1)


def assert_rounded(result, expected):
    """Allow either rounding if the mean is halfway between two integers."""
    np.testing.assert_allclose(result, expected, rtol=0, atol=0.5 + 1e-3)


@settings(max_examples=200)
@given(images_and_sizes())
def test_shrink_is_the_rounded_average_over_areas(case):
    image, height, width = case
    result = shrink(image, height, width)
    assert result.dtype == np.uint8
    assert result.shape == (height, width, image.shape[2])
    assert_rounded(result, area_average(image, height, width))


@pytest.mark.parametrize(
    ("height", "width"), [(128, 128), (100, 77), (601, 1), (1, 803), (600, 802)]
)
def test_shrink_of_a_photograph(height, width):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (20, 30, 3), np.uint8)
    image = cv2.resize(coarse, (803, 601), interpolation=cv2.INTER_CUBIC)
    assert_rounded(shrink(image, height, width), area_average(image, height, width))


@given(seeds, st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 3]))
def test_whole_factors_are_those_of_opencv(seed, down, across, channels):
    image = np.random.default_rng(seed).integers(0, 256, (9 * down, 8 * across, channels), np.uint8)
    expected = cv2.resize(image, (8, 9), interpolation=cv2.INTER_AREA).reshape(9, 8, channels)
    np.testing.assert_allclose(shrink(image, 9, 8).astype(int), expected, rtol=0, atol=1)


@given(images_and_sizes(), st.integers(0, 255))
def test_constant_images_stay_constant(case, value):
    image, height, width = case
    result = shrink(np.full_like(image, value), height, width)
    np.testing.assert_array_equal(result, np.full((height, width, image.shape[2]), value, np.uint8))


@given(images_and_sizes())
def test_the_same_size_changes_nothing(case):
    image, _, _ = case
    np.testing.assert_array_equal(shrink(image, *image.shape[:2]), image)


@given(images_and_sizes())
def test_mirrored_and_turned_images_give_mirrored_and_turned_results(case):
    image, height, width = case
    result = shrink(image, height, width).astype(int)
    turned = shrink(image.transpose(1, 0, 2), width, height).transpose(1, 0, 2)
    np.testing.assert_allclose(turned, result, rtol=0, atol=1)
    flipped = shrink(image[::-1, ::-1], height, width)[::-1, ::-1]
    np.testing.assert_allclose(flipped, result, rtol=0, atol=1)


def test_an_edge_within_a_row_is_shared():
    image = np.zeros((1000, 700, 1), np.uint8)
    image[:500] = 250
    expected = np.zeros((333, 211, 1), np.uint8)
    expected[:166] = 250
    expected[166] = 125  # half of this row is above the edge
    np.testing.assert_array_equal(shrink(image, 333, 211), expected)


def test_images_that_are_views_and_read_only():
    whole = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    view = whole[3:33:2, ::-1]
    expected = shrink(view.copy(), 7, 11)
    before = whole.copy()
    whole.flags.writeable = False
    np.testing.assert_array_equal(shrink(view, 7, 11), expected)
    np.testing.assert_array_equal(whole, before)


@pytest.mark.parametrize("channels", [1, 3])
def test_both_ways_of_resizing_agree(channels):
    # Images of more than 512 x 512 pixels and non-integer factors use another loop.
    rng = np.random.default_rng(0)
    for shape, size in [
        ((520, 510), (200, 201)),
        ((520, 510), (260, 255)),
        ((500, 500), (201, 77)),
    ]:
        image = rng.integers(0, 256, (*shape, channels), np.uint8)
        assert_rounded_twice(resample(image, size), area_average(image, *size))


def assert_rounded_twice(result, expected):
    """Allow for OpenCV's intermediate rounding of column sums."""
    np.testing.assert_allclose(result, expected, rtol=0, atol=1)


def test_one_axis_may_shrink_and_the_other_grow():
    image = np.random.default_rng(0).integers(0, 256, (600, 500, 3), np.uint8)
    result = resample(image, (151, 1000))
    assert result.shape == (151, 1000, 3)
    narrow = area_average(image, 151, 500)
    expected = cv2.resize(narrow, (1000, 151), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1.1)
