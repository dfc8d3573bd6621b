import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from featx import GaussianBlur, UniformBlur

MODES = {"zero": "constant", "reflect": "mirror", "edge": "nearest"}
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 4))


def by_channel(operation, image):
    channels = [operation(channel) for channel in np.moveaxis(image.astype(np.float64), 2, 0)]
    return np.stack(channels, axis=2)


@given(seeds, shapes, st.floats(0.1, 6), st.floats(1, 6), st.sampled_from(list(MODES)))
def test_gaussian_equals_scipy(seed, shape, sigma, truncate, padding):
    image = np.random.default_rng(seed).random(shape, np.float32)
    result = GaussianBlur(sigma, truncate, padding).fit_transform([image])[0]
    expected = by_channel(
        lambda x: ndimage.gaussian_filter(x, sigma, truncate=truncate, mode=MODES[padding]), image
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.8, 1.0, 1.5])
def test_small_kernels_are_true_gaussians(sigma):
    # OpenCV has fixed kernels for small sizes, which must not be taken for these.
    image = np.zeros((15, 15), np.float32)
    image[7, 7] = 1
    result = GaussianBlur(sigma, padding="zero").fit_transform([image])[0, :, :, 0]
    radius = int(4 * sigma + 0.5)
    i = np.arange(-7, 8)
    weights = np.where(abs(i) <= radius, np.exp(-(i**2) / (2 * sigma**2)), 0)
    weights /= weights.sum()
    np.testing.assert_allclose(result, np.outer(weights, weights), rtol=1e-5, atol=1e-9)


def test_gaussian_valid_is_the_inside():
    image = np.random.default_rng(0).random((30, 25, 2), np.float32)
    inside = GaussianBlur(1.2, padding="valid").fit_transform([image])[0]
    whole = GaussianBlur(1.2, padding="zero").fit_transform([image])[0]
    np.testing.assert_array_equal(inside, whole[5:-5, 5:-5])
    assert inside.flags.c_contiguous


def test_how_the_gaussian_of_the_lecture_relates():
    # The lecture: w_i ~ exp(-(i - k/2)² / σ²) for i = 1, …, k.
    k, sigma = 17, 2.0
    i = np.arange(1, k + 1)

    def literal(center, lecture_sigma):
        weights = np.exp(-((i - center) ** 2) / lecture_sigma**2)
        return weights / weights.sum()

    impulse = np.zeros((1, k), np.float32)
    impulse[0, k // 2] = 1
    blur = GaussianBlur(sigma, padding="zero")
    ours = blur.fit_transform([np.repeat(impulse, 2 * k, axis=0)])[0, k, :, 0]
    # The lecture's σ is √2 times ours, and the middle of 1, …, k is (k + 1)/2.
    np.testing.assert_allclose(ours, literal((k + 1) / 2, np.sqrt(2) * sigma), rtol=1e-5)
    # With k/2, as it is written, the weights stand half a pixel off the middle.
    middle, written = (k + 1) / 2, literal(k / 2, np.sqrt(2) * sigma) @ i
    assert middle - written == pytest.approx(0.5, abs=1e-3)
    # With its σ taken for ours, the blur is narrower: the variance is σ²/2.
    spread = literal((k + 1) / 2, sigma) @ (i - middle) ** 2
    assert spread == pytest.approx(sigma**2 / 2, rel=1e-6)


@given(seeds, shapes, st.integers(1, 12), st.integers(1, 12), st.sampled_from(list(MODES)))
def test_uniform_equals_scipy(seed, shape, height, width, padding):
    image = np.random.default_rng(seed).random(shape, np.float32)
    result = UniformBlur((height, width), padding).fit_transform([image])[0]
    # scipy centers an even size one pixel further up and left.
    origin = [-1 if size % 2 == 0 else 0 for size in (height, width)]
    expected = by_channel(
        lambda x: ndimage.uniform_filter(x, (height, width), mode=MODES[padding], origin=origin),
        image,
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_uniform_of_one_size_is_square():
    image = np.random.default_rng(0).random((9, 8, 3), np.float32)
    square = UniformBlur(4).fit_transform([image])
    np.testing.assert_array_equal(square, UniformBlur([4, 4]).fit_transform([image]))


@pytest.mark.parametrize("size", [(3, 5), (4, 2), (1, 1), (9, 8)])
def test_uniform_valid_is_the_mean_of_every_window(size):
    image = np.random.default_rng(0).random((9, 8, 2), np.float32)
    result = UniformBlur(size, "valid").fit_transform([image])[0]
    windows = np.lib.stride_tricks.sliding_window_view(image.astype(np.float64), size, (0, 1))
    np.testing.assert_allclose(result, windows.mean(axis=(3, 4)), rtol=1e-6)


@pytest.mark.parametrize("stage", [GaussianBlur(), UniformBlur()])
def test_more_channels_than_opencv_takes(stage):
    image = np.random.default_rng(0).random((6, 7, 200), np.float32)
    for padding in MODES:
        result = stage.set_params(padding=padding).fit_transform([image])
        singles = [stage.transform([image[..., n]])[0] for n in range(200)]
        np.testing.assert_allclose(result[0], np.concatenate(singles, axis=2), rtol=1e-5)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (
            GaussianBlur(1.0, padding="valid"),
            "GaussianBlur needs at least 9 x 9 pixels with these parameters, but image 0 is 8 x "
            "10 pixels.",
        ),
        (
            UniformBlur((9, 2), padding="valid"),
            "UniformBlur needs at least 9 x 2 pixels with these parameters, but image 0 is 8 x "
            "10 pixels.",
        ),
    ],
)
def test_too_small(stage, message):
    with pytest.raises(ValueError) as error:
        stage.fit([np.zeros((8, 10), np.float32)])
    assert str(error.value) == message


# Signals.

signals = st.one_of(st.tuples(st.integers(1, 60)), st.tuples(st.integers(1, 60), st.integers(1, 3)))


@given(seeds, signals, st.floats(0.1, 6), st.floats(1, 6), st.sampled_from(list(MODES)))
def test_gaussian_along_signals_equals_scipy(seed, shape, sigma, truncate, padding):
    signal = np.random.default_rng(seed).random(shape, np.float32)
    (result,) = GaussianBlur([sigma], truncate, padding).fit_transform([signal])
    expected = ndimage.gaussian_filter1d(
        signal.astype(np.float64), sigma, axis=0, truncate=truncate, mode=MODES[padding]
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6, strict=False)


@given(seeds, signals, st.integers(1, 30), st.sampled_from(list(MODES)))
def test_uniform_along_signals_equals_scipy(seed, shape, size, padding):
    signal = np.random.default_rng(seed).random(shape, np.float32)
    (result,) = UniformBlur([size], padding).fit_transform([signal])
    expected = ndimage.uniform_filter1d(
        signal.astype(np.float64),
        size,
        axis=0,
        mode=MODES[padding],
        origin=-1 if size % 2 == 0 else 0,
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6, strict=False)


@pytest.mark.parametrize("stage", [GaussianBlur([1.0]), UniformBlur((4,))])
def test_a_batch_of_signals_is_an_array(stage):
    batch = np.random.default_rng(0).random((3, 20), np.float32)
    result = stage.fit_transform(batch)
    np.testing.assert_array_equal(result, stage.transform(list(batch)))
    stereo = stage.transform(np.stack([batch, batch + 1], axis=2))
    np.testing.assert_array_equal(stereo[..., 0], result)
    assert stage.set_params(padding="valid").transform(batch).shape[1] < 20


@pytest.mark.parametrize(
    ("stage", "give"), [(GaussianBlur(), "sigma=[1.0]"), (UniformBlur(), "size=[5]")]
)
def test_signals_in_the_place_of_images(stage, give):
    batch = (
        f"{type(stage).__name__}: expected a batch of images, an array (n, height, width, "
        "channels) or a list of arrays (height, width, channels), but"
    )
    hint = f"For signals, pass {give}, a list of one number."
    with pytest.raises(ValueError) as error:
        stage.fit([np.zeros(10)])
    assert str(error.value) == f"{batch} image 0 has shape (10,). {hint}"
    with pytest.raises(ValueError) as error:
        stage.fit(np.zeros((3, 10)))
    assert str(error.value) == (
        f"{batch} got one array of shape (3, 10). For a single image, wrap it in a list: [image]. "
        f"For several gray images, add the axis of channels: images[..., np.newaxis]. {hint}"
    )
