from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.feature import local_binary_pattern

from featx import LBP

BINS = {"default": 256, "ror": 36, "uniform": 10, "nri_uniform": 59}
seeds = st.integers(0, 2**32 - 1)


def noise(seed, *shape, greatest=255):
    return np.random.default_rng(seed).integers(0, greatest + 1, shape, np.uint8)


def cells(patterns, rows, columns):
    """Cut a map of patterns into its cells, row by row."""
    height, width = patterns.shape
    down = pairwise(np.arange(rows + 1) * height // rows)
    across = pairwise(np.arange(columns + 1) * width // columns)
    return [patterns[top:low, left:right] for (top, low), (left, right) in product(down, across)]


def expected_histograms(image, points, radius, method, grid):
    patterns = local_binary_pattern(image, points, radius, method)[radius:-radius, radius:-radius]
    if method == "ror":
        values = np.unique(local_binary_pattern(noise(0, 300, 300), points, radius, "ror"))
        patterns = np.searchsorted(values, patterns)
    return np.array(
        [
            np.bincount(cell.ravel().astype(int), minlength=BINS[method])
            for cell in cells(patterns, *grid)
        ]
    )


@given(
    seeds,
    st.sampled_from(sorted(BINS)),
    st.sampled_from([1, 2, 3]),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(10, 33), st.integers(10, 33)),
    st.sampled_from([2, 255]),
)
def test_counts_are_those_of_scikit_image(seed, method, radius, grid, shape, greatest):
    image = noise(seed, *shape, greatest=greatest)
    (vector,) = LBP(8, radius, method, None, grid, None).fit_transform([image])
    expected = expected_histograms(image, 8, radius, method, grid)
    assert vector.dtype == np.float32
    np.testing.assert_array_equal(vector, expected.ravel())


@pytest.mark.parametrize("method", sorted(BINS))
@pytest.mark.parametrize("grid", [(1, 1), (3, 1)])
def test_large_cells_are_counted_as_small_ones(method, grid):
    image = noise(0, 203, 170)
    (vector,) = LBP(8, 1, method, None, grid, None).fit_transform([image])
    np.testing.assert_array_equal(vector, expected_histograms(image, 8, 1, method, grid).ravel())


@pytest.mark.parametrize(
    ("norm", "normalize"),
    [
        ("L1", lambda h: h / h.sum()),
        ("L1-sqrt", lambda h: np.sqrt(h / h.sum())),
        ("L2", lambda h: h / np.sqrt((h**2).sum())),
    ],
)
def test_each_histogram_is_normalised(norm, normalize):
    image = noise(0, 21, 34)
    counted = expected_histograms(image, 8, 1, "uniform", (2, 3))
    expected = np.concatenate([normalize(histogram) for histogram in counted])
    (vector,) = LBP(grid=(2, 3), norm=norm).fit_transform([image])
    np.testing.assert_allclose(vector, expected, rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_ternary_patterns_are_the_formula(steps, dtype):
    # Four points are pixels: differences of exactly the threshold belong to the pattern.
    image = noise(steps, 12, 15, greatest=12).astype(dtype)
    threshold = steps / 255 if dtype == np.uint8 else steps
    upper, lower = np.zeros((10, 13), int), np.zeros((10, 13), int)
    for i, j in np.ndindex(upper.shape):
        around = [(0, 1), (-1, 0), (0, -1), (1, 0)]
        for p, (down, across) in enumerate(around):
            center = int(image[i + 1, j + 1])
            neighbor = int(image[i + 1 + down, j + 1 + across])
            upper[i, j] |= int(neighbor >= center + steps) << p
            lower[i, j] |= int(neighbor <= center - steps) << p
    expected = [np.bincount(half.ravel(), minlength=16) for half in (upper, lower)]
    stage = LBP(4, 1, "default", threshold, norm=None)
    np.testing.assert_array_equal(stage.fit_transform([image])[0], np.concatenate(expected))


def test_radii_and_channels_stand_side_by_side():
    image = noise(1, 30, 32, 3)
    stage = LBP([8, 4], [1, 2.5], threshold=0.1, grid=(2, 1)).fit([image])
    (vector,) = stage.transform([image])
    parts = [
        LBP(points, radius, threshold=0.1, grid=(2, 1)).fit_transform([image[..., channel]])[0]
        for points, radius in ((8, 1), (4, 2.5))
        for channel in range(3)
    ]
    np.testing.assert_array_equal(vector, np.concatenate(parts))
    names = stage.get_feature_names_out().tolist()
    assert len(names) == len(set(names)) == len(vector) == 3 * 2 * 2 * (10 + 6)
    assert names[0] == "red_lbp8_1_upper_cell0_0_bin0"
    assert names[-1] == "blue_lbp4_2.5_lower_cell1_0_bin5"


def test_one_number_of_points_does_for_all_radii():
    image = noise(2, 20, 20)
    one, each = LBP(8, [1, 2]), LBP([8, 8], [1, 2])
    np.testing.assert_array_equal(one.fit_transform([image]), each.fit_transform([image]))


def test_names_tell_where_each_entry_is_from():
    image = noise(0, 9, 9)
    names = LBP(2, grid=(1, 2)).fit([image]).get_feature_names_out().tolist()
    assert names == [
        f"gray_lbp2_1_cell0_{column}_bin{number}" for column in (0, 1) for number in range(4)
    ]


@pytest.mark.parametrize("threshold", [None, 0.02])
def test_an_even_image_has_one_pattern(threshold):
    image = np.full((9, 9), 0.3, np.float32)
    vectors = LBP(4, threshold=threshold, norm="L1-sqrt").fit_transform([image])
    all_ones, none = [0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0]
    assert vectors[0].tolist() == (all_ones if threshold is None else none + none)


def test_batches_are_stacks_of_singles_and_stay_as_they_are():
    images = noise(0, 5, 16, 20, 3).astype(np.float32)
    before = images.copy()
    images.setflags(write=False)
    stage = LBP(grid=(2, 2)).fit(images)
    singles = np.stack([stage.transform([image])[0] for image in images])
    np.testing.assert_array_equal(stage.transform(images), singles)
    np.testing.assert_array_equal(images, before)


def test_too_small():
    with pytest.raises(ValueError) as error:
        LBP(8, [1, 2.5], grid=(2, 3)).fit([np.zeros((7, 9), np.float32)])
    assert str(error.value) == (
        "LBP needs at least 8 x 9 pixels with these parameters, but image 0 is 7 x 9 pixels."
    )


@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        (
            LBP([8, 16, 24], [1, 2]),
            "LBP: points has 3 entries, but the number of radii is 2. Pass one number, or one per "
            "radius.",
        ),
        (
            LBP([8, 8], 1.0),
            "LBP: points has 2 entries, but the number of radii is 1. Pass one number, or one per "
            "radius.",
        ),
        (
            LBP(24, 3, "ror"),
            'LBP: method="ror" supports at most 16 points, got 24. Use "uniform" or '
            '"nri_uniform", which have fewer bins.',
        ),
    ],
)
def test_parameters_that_do_not_fit_each_other(stage, problem):
    with pytest.raises(ValueError) as error:
        stage.fit([np.zeros((20, 20), np.float32)])
    assert str(error.value) == problem
