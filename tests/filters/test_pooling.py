import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import block_reduce

from featx import AveragePool, MaxPool, SpatialPyramid, Summarize

POOLS = [(MaxPool, np.max), (AveragePool, np.mean)]
LECTURE = np.array(
    [[29, 15, 28, 184], [0, 100, 70, 38], [12, 12, 7, 2], [12, 12, 45, 6]], np.float32
)
STATISTICS = {
    "mean": np.mean,
    "mean_absolute": lambda x: np.mean(np.abs(x)),
    "mean_square": lambda x: np.mean(x**2),
    "log_energy": lambda x: np.log(max(np.mean(x**2), 1e-14)),
    "standard_deviation": lambda x: np.sqrt(np.mean((x - np.mean(x)) ** 2)),
    "minimum": np.min,
    "maximum": np.max,
}


def photo(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def windows(length, size, stride, padding):
    """Give first and last pixel of each window along an axis: those that there are."""
    if padding == "valid":
        count, before = (length - size) // stride + 1, 0
    else:
        count = int(np.ceil(length / stride))
        before = max((count - 1) * stride + size - length, 0) // 2
    starts = [index * stride - before for index in range(count)]
    return [(max(start, 0), min(start + size, length)) for start in starts]


def literal(combine, image, sizes, strides, padding):
    rows, columns = (
        windows(length, size, stride, padding)
        for length, size, stride in zip(image.shape, sizes, strides, strict=False)
    )
    values = image.astype(np.float64)
    return np.array(
        [
            [combine(values[top:bottom, left:right], axis=(0, 1)) for left, right in columns]
            for top, bottom in rows
        ]
    )


def test_lecture_example():
    maxima = MaxPool(pool_size=2).fit_transform([LECTURE])[0, :, :, 0]
    np.testing.assert_array_equal(maxima, [[100, 184], [12, 45]])
    averages = AveragePool(pool_size=2).fit_transform([LECTURE])[0, :, :, 0]
    np.testing.assert_array_equal(averages, [[36, 80], [12, 15]])


sides = st.integers(1, 5)


@pytest.mark.parametrize(("pool", "combine"), POOLS)
@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 3)),
    st.tuples(sides, sides),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.sampled_from(["valid", "same"]),
)
def test_equals_its_definition(pool, combine, shape, sizes, strides, padding):
    if padding == "valid":
        shape = (shape[0] + sizes[0] - 1, shape[1] + sizes[1] - 1, shape[2])
    image = photo(*shape)
    result = pool(sizes, strides, padding).fit_transform([image])[0]
    expected = literal(combine, image, sizes, strides, padding)
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("pool", "combine"), POOLS)
def test_equals_scikit_image_where_windows_do_not_overlap(pool, combine):
    image = photo(12, 15, 2)
    result = pool((4, 3)).fit_transform([image])[0]
    expected = block_reduce(image.astype(np.float64), (4, 3, 1), combine)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("pool", "combine"), POOLS)
def test_one_number_stands_for_both(pool, combine):
    image = photo(9, 8, 1)
    expected = pool((3, 3), (2, 2), "same").fit_transform([image])
    np.testing.assert_array_equal(pool(3, 2, "same").fit_transform([image]), expected)
    expected = pool([2, 3], [2, 3]).fit_transform([image])
    np.testing.assert_array_equal(pool([2, 3]).fit_transform([image]), expected)


def test_padding_counts_for_nothing():
    below = -1 - np.abs(photo(5, 5, 1))
    assert MaxPool(3, padding="same").fit_transform([below]).max() < 0
    ones = np.ones((5, 7, 2), np.float32)
    averages = AveragePool(4, 3, "same").fit_transform([ones])[0]
    np.testing.assert_array_equal(averages, np.ones((2, 3, 2)))


@pytest.mark.parametrize("pool", [MaxPool, AveragePool])
def test_names_of_pools_are_the_channels(pool):
    stage = pool().fit([photo(4, 4, 3)])
    assert stage.get_feature_names_out().tolist() == ["red", "green", "blue"]


# Summaries.


@pytest.mark.parametrize("shape", [(7, 9, 1), (4, 5, 3), (1, 1, 2)])
def test_every_statistic_is_its_formula(shape):
    image = photo(*shape)
    channels = np.moveaxis(image.astype(np.float64), 2, 0)
    for name, formula in STATISTICS.items():
        result = Summarize([name]).fit_transform([image])
        np.testing.assert_allclose(result, [[*map(formula, channels)]], rtol=1e-6, atol=1e-7)


def test_order_and_names():
    image = photo(6, 5, 2)
    stage = Summarize(("maximum", "energy_ratio", "mean"), quantiles=[0.25, 1])
    first, second = np.moveaxis(image.astype(np.float64), 2, 0)
    expected = [
        first.max(),
        second.max(),
        np.sum(second**2) / np.sum(first**2),
        first.mean(),
        second.mean(),
        np.quantile(first, 0.25),
        np.quantile(second, 0.25),
        first.max(),
        second.max(),
    ]
    np.testing.assert_allclose(stage.fit_transform([image]), [expected], rtol=1e-6)
    assert stage.get_feature_names_out().tolist() == [
        "channel0_maximum",
        "channel1_maximum",
        "channel1_energy_ratio",
        "channel0_mean",
        "channel1_mean",
        "channel0_quantile_0.25",
        "channel1_quantile_0.25",
        "channel0_quantile_1",
        "channel1_quantile_1",
    ]


def test_quantiles_lie_between_two_pixels():
    image = np.array([[0, 10], [20, 40]], np.float32)
    quantiles = [0, 0.1, 0.5, 0.75, 1]
    result = Summarize(quantiles=quantiles).fit_transform([image])
    # Of four sorted values, the fraction q lies at place 3 q.
    np.testing.assert_allclose(result, [[17.5, 0, 3, 15, 25, 40]], rtol=1e-6)


def test_energy_ratios_are_to_the_first_map():
    image = np.stack([np.full((3, 3), 2), np.full((3, 3), 1), np.full((3, 3), -6)], axis=2)
    ratios = Summarize(["energy_ratio"]).fit_transform([image.astype(np.float32)])
    np.testing.assert_array_equal(ratios, [[0.25, 9]])


def test_energy_ratio_of_one_map():
    with pytest.raises(ValueError) as error:
        Summarize(["mean", "energy_ratio"]).fit_transform([photo(4, 4, 1)])
    assert str(error.value) == (
        "Summarize: energy_ratio requires at least two channels, got 1. Use a union of the stages "
        "to compare before Summarize."
    )


def test_black_images_have_finite_summaries():
    black = np.zeros((4, 4, 2), np.float32)
    result = Summarize([*STATISTICS, "energy_ratio"], [0.5]).fit_transform([black])
    energy = np.log(1e-14)
    expected = [0, 0, 0, 0, 0, 0, energy, energy, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(result, [expected], rtol=1e-6)


def test_sums_are_of_double_precision():
    # In single precision, the small values would vanish beside the large one.
    image = np.full((1000, 1000, 1), 1e-3, np.float32)
    image[0, 0] = 1e5
    expected = (1e5 + (10**6 - 1) * float(np.float32(1e-3))) / 10**6
    result = Summarize().fit_transform([image])
    np.testing.assert_array_equal(result, [[np.float32(expected)]])


# Pyramids.


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("shape", [(8, 12, 1), (7, 11, 3), (4, 5, 2)])
def test_pyramid_is_the_statistic_of_each_cell(statistic, shape):
    image = photo(*shape)
    levels = [(1, 1), (2, 3), (4, 4)]
    result = SpatialPyramid(levels, statistic).fit_transform([image])
    expected = []
    for rows, columns in levels:
        top = [int(np.floor(i * shape[0] / rows)) for i in range(rows + 1)]
        left = [int(np.floor(i * shape[1] / columns)) for i in range(columns + 1)]
        for row in range(rows):
            for column in range(columns):
                cell = image[top[row] : top[row + 1], left[column] : left[column + 1]]
                for channel in range(shape[2]):
                    values = cell[..., channel].astype(np.float64)
                    expected.append(STATISTICS[statistic](values))
    np.testing.assert_allclose(result, [expected], rtol=1e-5, atol=1e-6)


@given(st.tuples(st.integers(4, 30), st.integers(4, 30)), st.integers(1, 4), st.integers(1, 4))
def test_cells_are_all_of_the_image_once(shape, rows, columns):
    heights = [(i + 1) * shape[0] // rows - i * shape[0] // rows for i in range(rows)]
    widths = [(i + 1) * shape[1] // columns - i * shape[1] // columns for i in range(columns)]
    image = photo(*shape)
    means = SpatialPyramid([(rows, columns)]).fit_transform([image])[0]
    total = np.outer(heights, widths).ravel() @ means
    np.testing.assert_allclose(total, image.sum(dtype=np.float64), rtol=0, atol=1e-3)


def test_one_number_stands_for_a_square_grid():
    image = photo(9, 9, 2)
    expected = SpatialPyramid([(1, 1), (3, 3)]).fit_transform([image])
    np.testing.assert_array_equal(SpatialPyramid([1, 3]).fit_transform([image]), expected)


def test_names_of_cells():
    stage = SpatialPyramid([(1, 1), (1, 2)]).fit([photo(4, 4, 2)])
    assert stage.get_feature_names_out().tolist() == [
        "channel0_1x1_0_0",
        "channel1_1x1_0_0",
        "channel0_1x2_0_0",
        "channel1_1x2_0_0",
        "channel0_1x2_0_1",
        "channel1_1x2_0_1",
    ]
