import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.signal import correlate

from featx import Difference, OrientedEdges, Sobel

MODES = {"zero": "constant", "reflect": "mirror", "edge": "nearest"}
PAD_MODES = {"zero": "constant", "reflect": "reflect", "edge": "edge"}
SOBEL_VERTICAL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
SOBEL_HORIZONTAL = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]])
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(2, 20), st.integers(2, 20), st.integers(1, 3))


def by_channel(operation, image):
    """Give all responses to channel 0, then all to channel 1, … in float64."""
    channels = np.moveaxis(image.astype(np.float64), 2, 0)
    return np.stack([response for x in channels for response in operation(x)], axis=2)


@given(seeds, shapes, st.sampled_from(list(MODES)))
def test_difference_is_the_kernel_of_the_lecture(seed, shape, padding):
    image = np.random.default_rng(seed).random(shape, np.float32)

    def literal(x):
        below_and_right = np.pad(x, ((0, 1), (0, 1)), mode=PAD_MODES[padding])
        return x - below_and_right[:-1, 1:], x - below_and_right[1:, :-1]

    both = Difference("both", padding).fit_transform([image])[0]
    np.testing.assert_allclose(both, by_channel(literal, image), rtol=0, atol=1e-6)
    vertical = Difference("vertical", padding).fit_transform([image])[0]
    horizontal = Difference("horizontal", padding).fit_transform([image])[0]
    np.testing.assert_array_equal(vertical, both[..., ::2])
    np.testing.assert_array_equal(horizontal, both[..., 1::2])


def test_difference_valid_sizes():
    image = np.random.default_rng(0).random((5, 7, 1), np.float32)
    vertical = Difference("vertical", "valid").fit_transform([image])[0]
    horizontal = Difference("horizontal", "valid").fit_transform([image])[0]
    both = Difference("both", "valid").fit_transform([image])[0]
    np.testing.assert_array_equal(vertical, image[:, :-1] - image[:, 1:])
    np.testing.assert_array_equal(horizontal, image[:-1] - image[1:])
    np.testing.assert_array_equal(both[..., :1], vertical[:-1])
    np.testing.assert_array_equal(both[..., 1:], horizontal[:, :-1])


@given(seeds, shapes, st.sampled_from(list(MODES)))
def test_sobel_is_minus_that_of_scipy(seed, shape, padding):
    image = np.random.default_rng(seed).random(shape, np.float32)

    def scipy(x):
        return -ndimage.sobel(x, axis=1, mode=MODES[padding]), -ndimage.sobel(
            x, axis=0, mode=MODES[padding]
        )

    expected = by_channel(scipy, image)
    both = Sobel("both", padding).fit_transform([image])[0]
    np.testing.assert_allclose(both, expected, rtol=0, atol=2e-6)
    vertical = Sobel("vertical", padding).fit_transform([image])[0]
    horizontal = Sobel("horizontal", padding).fit_transform([image])[0]
    magnitude = Sobel("magnitude", padding).fit_transform([image])[0]
    np.testing.assert_array_equal(vertical, both[..., ::2])
    np.testing.assert_array_equal(horizontal, both[..., 1::2])
    np.testing.assert_allclose(
        magnitude, np.hypot(expected[..., ::2], expected[..., 1::2]), rtol=0, atol=3e-6
    )


def test_sobel_is_the_correlation_with_the_kernels_of_the_lecture():
    image = np.random.default_rng(0).random((9, 8, 2), np.float32)
    result = Sobel("both", "valid").fit_transform([image])[0]
    expected = by_channel(
        lambda x: [correlate(x, w, mode="valid") for w in (SOBEL_VERTICAL, SOBEL_HORIZONTAL)],
        image,
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)
    assert result.flags.c_contiguous


@pytest.mark.parametrize("stage", [Difference, Sobel])
def test_vertical_finds_vertical_edges(stage):
    image = np.zeros((8, 8), np.float32)
    image[:, :4] = 1
    assert stage("vertical").fit_transform([image])[0, 4, 3, 0] > 0
    assert not stage("horizontal").fit_transform([image]).any()
    assert stage("horizontal").fit_transform([image.T])[0, 3, 4, 0] > 0
    assert not stage("vertical").fit_transform([image.T]).any()


def ideal(x, angle, sigma, order, mode="mirror"):
    """Correlate with the steered kernel, written out and left to reach far, in float64."""
    radius = int(9 * sigma) + 1
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    theta = np.deg2rad(angle)
    u = columns * np.sin(theta) + rows * np.cos(theta)
    gaussian = np.exp(-(rows**2 + columns**2) / (2 * sigma**2))
    t = np.arange(-radius, radius + 1)
    profile = np.exp(-(t**2) / (2 * sigma**2))
    if order == 1:
        kernel, profile_of_90 = -u * gaussian, -t * profile
    else:
        variance = (t**2 * profile).sum() / profile.sum()
        kernel = (1 - u**2 / variance) * gaussian
        profile_of_90 = (1 - t**2 / variance) * profile
    kernel /= profile.sum() * profile_of_90[profile_of_90 > 0].sum()
    return ndimage.correlate(x, kernel, mode=mode)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("padding", list(MODES))
def test_oriented_edges_are_those_of_the_steered_kernel(order, sigma, padding):
    image = np.random.default_rng(0).random((23, 20, 2), np.float32)
    angles = [0, 22.5, 45, 60, 90, 100, 135, 179]
    stage = OrientedEdges(angles, sigma, order, padding=padding)
    result = stage.fit_transform([image])[0]
    expected = by_channel(
        lambda x: [ideal(x, angle, sigma, order, MODES[padding]) for angle in angles], image
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)
    assert result.flags.c_contiguous


@pytest.mark.parametrize("order", [1, 2])
def test_a_number_of_orientations_spreads_them_evenly(order):
    image = np.random.default_rng(0).random((12, 15, 2), np.float32)
    counted = OrientedEdges(3, order=order).fit_transform([image])
    listed = OrientedEdges([0, 60, 120], order=order).fit_transform([image])
    np.testing.assert_array_equal(counted, listed)


def test_orientation_is_the_direction_of_the_edge():
    # A step whose line rises to the right at 30 degrees; rows count downwards.
    rows, columns = np.mgrid[-20:21, -20:21]
    direction = np.deg2rad(30)
    image = (columns * np.sin(direction) + rows * np.cos(direction) < 0).astype(np.float32)
    edges = OrientedEdges(6, sigma=2.0).fit([image])
    response = edges.transform([image])[0, 20, 20]
    assert edges.get_feature_names_out()[response.argmax()] == "gray_edges_030"
    # Nothing crosses the edge at 120 degrees, and what is brighter lies above: positive.
    assert abs(response[4]) < 0.05 * response[1]
    assert response[1] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_a_unit_step_gives_one(sigma):
    image = np.zeros((40, 40), np.float32)
    image[:, :20] = 1
    edges = OrientedEdges([90], sigma)
    np.testing.assert_allclose(edges.fit_transform([image])[0, 20, 19:21, 0], 1, rtol=1e-6)
    upright = OrientedEdges([0], sigma).fit_transform([image.T])
    np.testing.assert_allclose(upright[0, 19:21, 20, 0], 1, rtol=1e-6)


def test_the_sign_is_that_of_sobel():
    image = np.random.default_rng(0).random((16, 16), np.float32)
    edges = OrientedEdges([90, 0], sigma=0.7).fit_transform([image])[0]
    sobel = Sobel("both").fit_transform([image])[0]
    for n in range(2):
        assert np.corrcoef(edges[..., n].ravel(), sobel[..., n].ravel())[0, 1] > 0.9


def test_lines_respond_to_lines_and_not_to_what_is_constant():
    image = np.full((31, 31), 0.25, np.float32)
    lines = OrientedEdges(4, order=2)
    np.testing.assert_allclose(lines.fit_transform([image]), 0, atol=1e-6)
    image[:, 15] = 1
    response = lines.fit_transform([image])[0, 15, 15]
    assert response.argmax() == 2
    assert response[2] > 0


def test_oriented_edges_valid_is_the_inside():
    image = np.random.default_rng(0).random((20, 17, 2), np.float32)
    inside = OrientedEdges(truncate=4.0, padding="valid").fit_transform([image])[0]
    whole = OrientedEdges(truncate=4.0, padding="zero").fit_transform([image])[0]
    assert inside.shape == (12, 9, 16)
    np.testing.assert_allclose(inside, whole[4:-4, 4:-4], rtol=0, atol=1e-7)


def test_names():
    image = np.zeros((8, 8, 3), np.float32)
    stages = {
        Difference("both"): ["difference_vertical", "difference_horizontal"],
        Sobel("both"): ["sobel_vertical", "sobel_horizontal"],
        Sobel("magnitude"): ["sobel_magnitude"],
        OrientedEdges([5, 22.5]): ["edges_005", "edges_022.5"],
        OrientedEdges([90], order=2): ["lines_090"],
    }
    for stage, responses in stages.items():
        expected = [f"{c}_{response}" for c in ("red", "green", "blue") for response in responses]
        assert stage.fit([image]).get_feature_names_out().tolist() == expected


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (
            Difference(padding="valid"),
            "Difference needs at least 1 x 2 pixels with these parameters, but image 0 is 2 x 1 "
            "pixels.",
        ),
        (
            Difference("both", padding="valid"),
            "Difference needs at least 2 x 2 pixels with these parameters, but image 0 is 2 x 1 "
            "pixels.",
        ),
        (
            Sobel(padding="valid"),
            "Sobel needs at least 3 x 3 pixels with these parameters, but image 0 is 2 x 1 pixels.",
        ),
        (
            OrientedEdges(padding="valid"),
            "OrientedEdges needs at least 13 x 13 pixels with these parameters, but image 0 is 2 "
            "x 1 pixels.",
        ),
    ],
)
def test_too_small(stage, message):
    with pytest.raises(ValueError) as error:
        stage.fit([np.zeros((2, 1), np.float32)])
    assert str(error.value) == message
