import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.feature import local_binary_pattern

from featx import ReadImages
from featx.descriptors.binary_patterns import (
    binary_patterns,
    circle,
    grey_levels,
    histograms,
    pattern_bins,
    square,
)

seeds = st.integers(0, 2**32 - 1)
numbers = st.integers(2, 24)
radii = st.sampled_from([0.5, 1, 1.1, 1.5, 2, 2.75, 3, 5])
sides = st.integers(11, 40)


def noise(seed, height, width, greatest):
    return np.random.default_rng(seed).integers(0, greatest + 1, (height, width), np.uint8)


def pixels(image):
    return image.astype(np.float32) / np.float32(255)


def inside(maps, margin):
    return maps[margin:-margin, margin:-margin]


def literal(image, points, radius, threshold):
    """Compute the class's formula pixel by pixel, in float64."""
    margin = int(np.ceil(radius))
    patterns = np.zeros((image.shape[0] - 2 * margin, image.shape[1] - 2 * margin), np.int64)
    for i, j in np.ndindex(patterns.shape):
        for p in range(points):
            angle = 2 * np.pi * p / points
            y = i + margin + round(-radius * np.sin(angle), 5)
            x = j + margin + round(radius * np.cos(angle), 5)
            top, left = int(np.floor(y)), int(np.floor(x))
            bottom, right = int(np.ceil(y)), int(np.ceil(x))
            above = (1 - (x - left)) * image[top, left] + (x - left) * image[top, right]
            below = (1 - (x - left)) * image[bottom, left] + (x - left) * image[bottom, right]
            value = (1 - (y - top)) * above + (y - top) * below
            patterns[i, j] |= int(value >= image[i + margin, j + margin] + threshold) << p
    return patterns


@given(seeds, numbers, radii, sides, sides, st.sampled_from([1, 2, 9, 255]))
def test_patterns_of_8_bits_are_those_of_scikit_image(seed, points, radius, height, width, most):
    # Few gray values: ties, of which the last bit of the interpolation decides, are frequent.
    image = noise(seed, height, width, most)
    around = circle(points, radius)
    levels, unit = grey_levels(pixels(image))
    expected = local_binary_pattern(image, points, radius)
    assert unit == 255
    np.testing.assert_array_equal(binary_patterns(levels, around), inside(expected, around.margin))


@given(seeds, numbers, radii, sides, sides)
@pytest.mark.filterwarnings("ignore:Applying `local_binary_pattern` to floating-point")
def test_patterns_of_floats_are_those_of_scikit_image(seed, points, radius, height, width):
    image = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    around = circle(points, radius)
    levels, unit = grey_levels(image)
    assert unit == 1
    expected = local_binary_pattern(image.astype(np.float64), points, radius)
    np.testing.assert_array_equal(binary_patterns(levels, around), inside(expected, around.margin))


@pytest.mark.parametrize("value", [0, 1, 77, 128, 255])
def test_even_images_have_the_ties_of_scikit_image(value):
    image = np.full((150, 150), value, np.uint8)
    expected = inside(local_binary_pattern(image, 8, 1.3), 2)
    levels, _ = grey_levels(pixels(image))
    np.testing.assert_array_equal(binary_patterns(levels, circle(8, 1.3)), expected)


@pytest.mark.parametrize(("points", "radius"), [(8, 1), (16, 2), (24, 3)])
def test_photographs_have_the_patterns_of_scikit_image(real_data, points, radius):
    for name in ("street", "coast"):
        path = sorted((real_data / "scenes8" / "train" / name).iterdir())[0]
        (image,) = ReadImages(mode="gray").fit_transform([path])
        levels, _ = grey_levels(pixels(image[..., 0]))
        expected = local_binary_pattern(image[..., 0], points, radius)
        np.testing.assert_array_equal(
            binary_patterns(levels, circle(points, radius)), inside(expected, radius)
        )


@pytest.mark.parametrize("points", [4, 6, 9])
@pytest.mark.parametrize("radius", [1, 1.5])
@pytest.mark.parametrize("threshold", [0.0, 0.1])
def test_compiled_loop_is_the_literal_formula(points, radius, threshold):
    image = np.random.default_rng(0).random((14, 17), np.float32)
    expected = literal(image.astype(np.float64), points, radius, threshold)
    result = binary_patterns(image, circle(points, radius), threshold)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("points", "dtype"), [(8, np.uint8), (9, np.uint16), (16, np.uint16), (17, np.uint32)]
)
def test_patterns_are_of_the_smallest_type(points, dtype):
    assert binary_patterns(np.zeros((9, 9), np.float32), circle(points, 1)).dtype == dtype


def test_neighbours_of_the_square_are_read_row_by_row():
    # The example of Wu and Rehg, whose bits tell which neighbors are not brighter.
    image = np.array([[32, 64, 96], [32, 64, 96], [32, 32, 96]], np.float32)
    assert binary_patterns(-image, square()).tolist() == [[0b11010110]]


@pytest.mark.parametrize("points", range(2, 13))
@pytest.mark.parametrize("method", ["ror", "uniform", "nri_uniform"])
def test_bins_are_those_of_scikit_image(points, method):
    image = noise(points, 60, 60, 255)
    patterns = inside(local_binary_pattern(image, points, 1), 1).astype(np.int64)
    values = inside(local_binary_pattern(image, points, 1, method), 1)
    bins, count = pattern_bins(points, method)
    if method == "ror":
        least = [min(rotations(pattern, points)) for pattern in range(2**points)]
        numbered = {value: n for n, value in enumerate(sorted(set(least)))}
        values = np.vectorize(numbered.get)(values)
        assert count == len(numbered)
    np.testing.assert_array_equal(bins[patterns], values)
    # Patterns of two or three points are all uniform.
    others = method != "ror" and points <= 3
    assert sorted(set(bins.tolist())) == list(range(count - others))


def rotations(pattern, points):
    text = f"{pattern:0{points}b}"
    return [int(text[turn:] + text[:turn], 2) for turn in range(points)]


@pytest.mark.parametrize("points", [2, 3, 4, 8, 11])
def test_uniform_patterns_change_at_most_twice(points):
    rotation_invariant, _ = pattern_bins(points, "uniform")
    exact, count = pattern_bins(points, "nri_uniform")
    for pattern in range(2**points):
        bits = [pattern >> p & 1 for p in range(points)]
        changes = sum(bits[p] != bits[p - 1] for p in range(points))
        assert rotation_invariant[pattern] == (sum(bits) if changes <= 2 else points + 1)
        assert (exact[pattern] == count - 1) == (changes > 2)
    uniform = exact[exact < count - 1]
    assert len(set(uniform.tolist())) == len(uniform) == count - 1


def test_the_default_bin_is_the_pattern():
    bins, count = pattern_bins(5, "default")
    assert (bins.tolist(), count) == (list(range(32)), 32)


@given(seeds, st.integers(1, 9), st.integers(1, 9))
def test_boxes_are_counted_each(seed, height, width):
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 16, (12, 13), np.uint8)
    bins = rng.integers(0, 5, 16).astype(np.uint16)
    top, left = rng.integers(0, 12 - height + 1), rng.integers(0, 13 - width + 1)
    boxes = np.array([[top, top + height, left, left + width], [0, 12, 0, 13]])
    expected = [
        np.bincount(bins[patterns[top : top + height, left : left + width]].ravel(), minlength=5),
        np.bincount(bins[patterns].ravel(), minlength=5),
    ]
    np.testing.assert_array_equal(histograms(patterns, bins, 5, boxes), expected)


def test_levels_are_those_of_8_bits_and_no_others():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for plane, expected in ((every, every), (every.T, every.T), (pixels(every), every)):
        levels, unit = grey_levels(plane)
        assert (levels.dtype, unit) == (np.float32, 255)
        np.testing.assert_array_equal(levels, expected)
    for other in (0.5, -1 / 255, 2.0, 1e-7, 1 / 65535):
        plane = np.array([[0, 1, other]], np.float32)
        levels, unit = grey_levels(plane)
        assert unit == 1
        np.testing.assert_array_equal(levels, plane)
