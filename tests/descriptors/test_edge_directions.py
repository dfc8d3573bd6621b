import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.data import camera

from featx import EdgeDirections, ReadImages

EIGHT_NEIGHBOURS = np.ones((3, 3))


def counted(edges, directions, bins, coherent_size):
    """Count what the class says of edges and their directions, in degrees."""
    coherent, incoherent = np.zeros(bins), np.zeros(bins)
    label = np.floor(directions * bins / 360) % bins
    for b in range(bins):
        components, count = ndimage.label(edges & (label == b), EIGHT_NEIGHBOURS)
        for n in range(1, count + 1):
            size = (components == n).sum()
            (coherent if size >= coherent_size * edges.size else incoherent)[b] += size
    found = max(edges.sum(), 1)
    return np.concatenate([coherent / found, incoherent / found, [1 - edges.mean()]])


def gradients(image, sigma):
    x = image.astype(np.float64)
    if sigma is not None:
        x = ndimage.gaussian_filter(x, sigma, mode="mirror", radius=round(4 * sigma))
    return ndimage.sobel(x, axis=1, mode="mirror"), ndimage.sobel(x, axis=0, mode="mirror")


def canny(gx, gy, low, high):
    """Write out Canny's method with the four sectors of directions that OpenCV has."""
    magnitude = np.pad(np.hypot(gx, gy), 1)
    kept = np.zeros(gx.shape, bool)
    for i in range(gx.shape[0]):
        for j in range(gx.shape[1]):
            degrees = np.degrees(np.arctan2(gy[i, j], gx[i, j])) % 180
            sector = int((degrees + 22.5) // 45) % 4
            di, dj = [(0, 1), (1, 1), (1, 0), (1, -1)][sector]
            here = magnitude[i + 1, j + 1]
            before, after = magnitude[i + 1 - di, j + 1 - dj], magnitude[i + 1 + di, j + 1 + dj]
            # Of two equal neighbors along a row or a column the first is kept.
            first = here > before
            last = here >= after if sector in (0, 2) else here > after
            kept[i, j] = here > low and first and last
    components, _ = ndimage.label(kept, EIGHT_NEIGHBOURS)
    strong = np.unique(components[kept & (magnitude[1:-1, 1:-1] > high)])
    return kept & np.isin(components, strong)


@pytest.mark.parametrize("sigma", [None, 1.0, 1.7])
@pytest.mark.parametrize("bins", [72, 36, 7, 1])
def test_the_features_are_the_literal_formula(sigma, bins):
    rng = np.random.default_rng(bins)
    image = ndimage.gaussian_filter(rng.random((60, 47)), 1.0).astype(np.float32)
    low, high, size = 0.1, 0.3, 0.004
    gx, gy = gradients(image, sigma)
    edges = canny(gx, gy, low, high)
    expected = counted(edges, np.degrees(np.arctan2(-gy, gx)), bins, size)
    stage = EdgeDirections(bins, True, size, sigma, low, high)
    assert edges.sum() > 50
    (vector,) = stage.fit_transform([image])
    # Rounding may take a pixel or two, at a border of bins, to the next one.
    assert abs(vector - expected).sum() * edges.sum() < 4.5


def test_edges_of_8_bit_images_are_those_of_opencv():
    image = camera()[:256, 100:356]
    smooth = cv2.GaussianBlur(image, (0, 0), 1.5)
    edges = cv2.Canny(smooth, 100, 200, L2gradient=True) > 0
    gx, gy = (cv2.Sobel(smooth, cv2.CV_64F, *order) for order in ((1, 0), (0, 1)))
    directions = np.degrees(np.arctan2(-gy, gx))
    stage = EdgeDirections(72, True, 0.0005, None, 100 / 255, 200 / 255)
    (vector,) = stage.fit_transform([smooth])
    # Gradients of exactly 5 degrees times a whole number are ties; pixels replicated at the
    # border by cv2.Canny are mirrored here.
    expected = counted(edges, directions, 72, 0.0005)
    assert abs(vector - expected).sum() < 0.05
    np.testing.assert_allclose(vector[-1], expected[-1], atol=1e-3)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(1, 25), st.floats(0, 0.2))
def test_components_are_those_of_scipy(seed, height, width, size):
    from featx.descriptors.edge_directions import _count_by_coherence

    labels = np.random.default_rng(seed).integers(-1, 3, (height, width)).astype(np.int16)
    expected = counted(labels >= 0, labels * 120.0 + 60, 3, size)[:-1]
    counts = np.zeros((2, 3))
    _count_by_coherence(labels.copy(), size * labels.size, counts)
    np.testing.assert_allclose(counts.ravel() / max((labels >= 0).sum(), 1), expected)


@pytest.mark.parametrize(
    ("step", "quarter"), [((0, 1), 0), ((-1, 0), 1), ((0, -1), 2), ((1, 0), 3)]
)
def test_directions_point_to_the_bright_side_and_turn_counter_clockwise(step, quarter):
    rows, columns = np.mgrid[:40, :40]
    image = ((rows - 19.5) * step[0] + (columns - 19.5) * step[1] > 0).astype(np.float32)
    (vector,) = EdgeDirections().fit_transform([image])
    assert np.flatnonzero(vector).tolist() == [18 * quarter, 144]
    assert vector[18 * quarter] == 1
    np.testing.assert_allclose(vector[144], 1 - 40 / 1600)


def test_a_long_line_is_coherent_and_a_dot_is_not():
    image = np.zeros((100, 100), np.float32)
    image[:, 20:22] = 1
    image[50, 70] = 1
    (vector,) = EdgeDirections(bins=4, coherent_size=0.005).fit_transform([image])
    coherent, incoherent = vector[:4], vector[4:8]
    # The line has two sides of 100 pixels, brighter to the right and to the left.
    found = round((1 - vector[8]) * 100 * 100)
    np.testing.assert_allclose(coherent[[0, 2]], 100 / found, rtol=0.02)
    assert coherent[[1, 3]].tolist() == [0, 0]
    assert incoherent.sum() > 0


def test_the_histogram_adds_both_up():
    image = camera()[::4, ::4]
    (vector,) = EdgeDirections().fit_transform([image])
    (histogram,) = EdgeDirections(coherence=False).fit_transform([image])
    expected = np.append(vector[:72] + vector[72:144], vector[144])
    np.testing.assert_allclose(histogram, expected, atol=1e-7)
    np.testing.assert_allclose(histogram[:72].sum(), 1, rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_units_of_the_image_are_units_of_the_thresholds(factor):
    image = camera()[::4, ::4].astype(np.float32) / 256
    expected = EdgeDirections(low_threshold=0.25, high_threshold=0.5).fit_transform([image])
    stage = EdgeDirections(low_threshold=0.25 * factor, high_threshold=0.5 * factor)
    result = stage.fit_transform([image * np.float32(factor)])
    np.testing.assert_allclose(result, expected, atol=2e-3)


@pytest.mark.parametrize("shape", [(30, 20), (1, 1), (2, 3), (1, 50)])
@pytest.mark.parametrize("value", [0, 0.4])
def test_a_flat_image_has_no_edge(shape, value):
    (vector,) = EdgeDirections().fit_transform([np.full(shape, value, np.float32)])
    np.testing.assert_array_equal(vector, [0] * 144 + [1])


def test_names():
    stage = EdgeDirections(bins=2).fit([np.zeros((4, 4), np.float32)])
    assert stage.get_feature_names_out().tolist() == [
        "coherent_direction0",
        "coherent_direction1",
        "incoherent_direction0",
        "incoherent_direction1",
        "no_edge",
    ]
    stage = EdgeDirections(bins=1, coherence=False).fit([np.zeros((4, 4), np.float32)])
    assert stage.get_feature_names_out().tolist() == ["edge_direction0", "no_edge"]


def test_thresholds_in_the_wrong_order():
    with pytest.raises(ValueError) as error:
        EdgeDirections(low_threshold=0.5, high_threshold=0.4).fit([np.zeros((4, 4), np.float32)])
    assert str(error.value) == (
        "EdgeDirections: low_threshold=0.5 exceeds high_threshold=0.4. It must be at most "
        "high_threshold."
    )


def test_colour_is_refused():
    with pytest.raises(ValueError) as error:
        EdgeDirections().fit([np.zeros((4, 4, 3), np.float32)])
    assert str(error.value) == "EdgeDirections: expected images of 1 channel, but image 0 has 3."


def test_cities_have_more_vertical_edges_that_are_coherent(real_data):
    folder = real_data / "scenes8" / "train"
    mean = {}
    for name in ("tallbuilding", "forest"):
        images = ReadImages(mode="gray").fit_transform(sorted((folder / name).iterdir())[:20])
        # Within 5 degrees of upright edges.
        vectors = EdgeDirections().fit_transform(images)
        mean[name] = vectors[:, [0, 71, 35, 36]].sum(axis=1).mean()
    assert mean["tallbuilding"] > 10 * mean["forest"]
