import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from featx import Convolve

MODES = {"zero": "constant", "reflect": "reflect", "edge": "edge"}
paddings = st.sampled_from(["valid", *MODES])
seeds = st.integers(0, 2**32 - 1)


def literal(image, kernel, padding, stride=1):
    """Pad with numpy, correlate with scipy in float64, keep every so many."""
    image, kernel = np.asarray(image, np.float64), np.asarray(kernel, np.float64)
    if padding != "valid":
        around = [((k - 1) // 2, k // 2) for k in kernel.shape]
        image = np.pad(image, around, mode=MODES[padding])
    result = correlate(image, kernel, mode="valid", method="direct")
    strides = np.broadcast_to(stride, kernel.ndim)
    return result[tuple(slice(None, None, step) for step in strides)]


def assert_close(result, expected, kernel, image):
    # Single precision, with respect to the largest sum that the weights can make.
    scale = np.abs(kernel).sum() * max(np.abs(image).max(initial=0), 1e-30)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6 * scale)


def test_lecture_example():
    image = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
    kernel = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]
    result = Convolve(kernel).fit_transform([np.array(image, np.float32)])
    np.testing.assert_array_equal(result[0, :, :, 0], [[12, 12, 17], [10, 17, 19], [9, 6, 14]])


def test_zero_padding_of_the_lecture_example_keeps_the_size():
    image = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
    kernel = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]
    result = Convolve(kernel, padding="zero").fit_transform([np.array(image, np.float32)])
    expected = [
        [6, 14, 17, 11, 3],
        [14, 12, 12, 17, 11],
        [8, 10, 17, 19, 13],
        [11, 9, 6, 14, 12],
        [6, 4, 4, 6, 4],
    ]
    np.testing.assert_array_equal(result[0, :, :, 0], expected)


def test_sum_in_three_dimensions_by_hand():
    # Two by two pixels of three channels, and a kernel that weights them by 1, 10, 100, …
    image = np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [1, 3, 5]]], np.float32)
    kernel = [[[1, 0], [10, 0]], [[0, 100], [0, 1000]]]
    # Channels 0 and 1: 1·1 + 10·4 + 100·8 + 1000·3; channels 1 and 2: 1·2 + 10·5 + 100·9 + 1000·5.
    result = Convolve(kernel).fit_transform([image])
    np.testing.assert_array_equal(result, [[[[3841, 5952]]]])


def test_signals_by_hand():
    result = Convolve([1, 2, 3]).fit_transform(np.array([[1, 0, 2, 1], [0, 1, 0, 0]], np.float32))
    np.testing.assert_array_equal(result, [[7, 7], [2, 1]])


@given(seeds, st.integers(1, 40), st.integers(1, 12), paddings, st.integers(1, 5), st.booleans())
def test_one_dimension_equals_scipy(seed, length, size, padding, stride, listed):
    rng = np.random.default_rng(seed)
    length += size - 1 if padding == "valid" else 0
    signal, kernel = rng.uniform(-1, 1, length).astype(np.float32), rng.uniform(-1, 1, size)
    convolve = Convolve(kernel, padding, [stride] if listed else stride)
    result = convolve.fit_transform(signal[np.newaxis])[0]
    assert_close(result, literal(signal, kernel, padding, stride), kernel, signal)


@given(
    seeds,
    st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 5)),
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    paddings,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_two_dimensions_equal_scipy(seed, shape, size, padding, stride):
    rng = np.random.default_rng(seed)
    if padding == "valid":
        shape = (shape[0] + size[0] - 1, shape[1] + size[1] - 1, shape[2])
    image, kernel = rng.uniform(-1, 1, shape).astype(np.float32), rng.uniform(-1, 1, size)
    result = Convolve(kernel, padding, stride).fit_transform([image])[0]
    channels = [literal(channel, kernel, padding, stride) for channel in np.moveaxis(image, 2, 0)]
    assert_close(result, np.stack(channels, axis=2), kernel, image)


@given(
    seeds,
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6)),
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4)),
    paddings,
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)
def test_three_dimensions_equal_scipy(seed, shape, size, padding, stride):
    rng = np.random.default_rng(seed)
    if padding == "valid":
        shape = tuple(d + k - 1 for d, k in zip(shape, size, strict=True))
    image, kernel = rng.uniform(-1, 1, shape).astype(np.float32), rng.uniform(-1, 1, size)
    result = Convolve(kernel, padding, stride).fit_transform([image])[0]
    assert_close(result, literal(image, kernel, padding, stride), kernel, image)


@pytest.mark.parametrize("size", [(10, 12), (11, 11), (1, 121), (31, 31)])
def test_small_and_large_kernels_agree_with_scipy(size):
    # OpenCV is asked for the one directly and for the other through the Fourier transform.
    rng = np.random.default_rng(0)
    image, kernel = rng.random((40, 130, 2), np.float32), rng.standard_normal(size)
    result = Convolve(kernel, "zero").fit_transform([image])[0]
    channels = [literal(channel, kernel, "zero") for channel in np.moveaxis(image, 2, 0)]
    assert_close(result, np.stack(channels, axis=2), kernel, image)


@given(seeds, paddings, st.floats(-3, 3), st.floats(-3, 3))
def test_linear_in_the_image_and_in_the_kernel(seed, padding, a, b):
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, 1, 9, 8, 2))
    w, v = rng.random((2, 4, 3))
    result = Convolve(w, padding).fit_transform(a * x + b * y)
    parts = [Convolve(w, padding).fit_transform(part).astype(float) for part in (x, y)]
    np.testing.assert_allclose(result, a * parts[0] + b * parts[1], rtol=0, atol=1e-4)
    result = Convolve(a * w + b * v, padding).fit_transform(x)
    parts = [Convolve(kernel, padding).fit_transform(x).astype(float) for kernel in (w, v)]
    np.testing.assert_allclose(result, a * parts[0] + b * parts[1], rtol=0, atol=1e-4)


@given(seeds, st.integers(0, 4), st.integers(0, 4))
def test_a_shifted_image_gives_the_shifted_result(seed, down, right):
    rng = np.random.default_rng(seed)
    image, kernel = rng.random((1, 14, 15, 1), np.float32), rng.random((4, 3))
    result = Convolve(kernel).fit_transform(image)
    shifted = Convolve(kernel).fit_transform(image[:, down:, right:])
    np.testing.assert_allclose(shifted, result[:, down:, right:], rtol=1e-6)


def test_an_impulse_shows_the_kernel_flipped_as_correlation_does():
    image = np.zeros((5, 5), np.float32)
    image[2, 2] = 1
    kernel = np.arange(9).reshape(3, 3)
    result = Convolve(kernel, "zero").fit_transform([image])[0, 1:4, 1:4, 0]
    np.testing.assert_array_equal(result, kernel[::-1, ::-1])


def test_more_channels_than_opencv_takes():
    rng = np.random.default_rng(0)
    image, kernel = rng.random((6, 7, 300), np.float32), rng.random((3, 2))
    result = Convolve(kernel, "edge").fit_transform([image])[0]
    channels = [literal(channel, kernel, "edge") for channel in np.moveaxis(image, 2, 0)]
    assert_close(result, np.stack(channels, axis=2), kernel, image)


def test_names():
    image = np.zeros((5, 5, 3), np.float32)
    flat = Convolve(np.ones((2, 2))).fit([image])
    assert flat.get_feature_names_out().tolist() == ["red", "green", "blue"]
    deep = Convolve(np.ones((2, 2, 2))).fit([image])
    assert deep.get_feature_names_out().tolist() == ["convolve0", "convolve1"]


@pytest.mark.parametrize(
    ("kernel", "shape", "message"),
    [
        (
            np.ones((3, 4)),
            (5, 3, 1),
            "Convolve needs at least 3 x 4 pixels with these parameters, but image 0 is 5 x 3 "
            "pixels.",
        ),
        (
            np.ones((3, 4, 2)),
            (5, 5, 1),
            "Convolve needs at least 3 x 4 x 2 with these parameters, but image 0 is 5 x 5 x 1.",
        ),
        (
            np.ones(4),
            (3,),
            "Convolve needs at least 4 samples with these parameters, but signal 0 is 3 samples.",
        ),
    ],
)
def test_too_small(kernel, shape, message):
    with pytest.raises(ValueError) as error:
        Convolve(kernel).fit([np.zeros(shape, np.float32)])
    assert str(error.value) == message


def test_strides_for_another_number_of_axes():
    with pytest.raises(ValueError) as error:
        Convolve([[1, 2]], stride=[1, 2, 3]).fit(np.zeros((1, 4, 4, 1)))
    assert str(error.value) == (
        "Convolve: stride has 3 numbers, but the kernel has 2 dimensions. Pass one number, or "
        "one per dimension."
    )


def test_signals_of_several_channels_are_each_by_themselves():
    stereo = np.random.default_rng(0).random((30, 2), np.float32)
    for size in (3, 200):
        convolve = Convolve(np.arange(size) / size, padding="zero", stride=3)
        (result,) = convolve.fit_transform([stereo])
        left, right = convolve.transform(stereo.T)
        np.testing.assert_allclose(result, np.stack([left, right], axis=1), rtol=0, atol=1e-5)
    assert convolve.fit([stereo]).get_feature_names_out().tolist() == ["left", "right"]
