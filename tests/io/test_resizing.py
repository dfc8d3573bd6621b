import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featx.io.resizing import resize_image


def test_stretch_crop_and_pad_of_whole_factors():
    image = np.arange(4 * 8 * 1, dtype=np.uint8).reshape(4, 8, 1)
    halves = image.reshape(2, 2, 4, 2).mean((1, 3))[..., np.newaxis]
    half = resize_image(image, (2, 4), "stretch", (0,))
    np.testing.assert_allclose(half, halves, rtol=0, atol=0.5)
    np.testing.assert_array_equal(resize_image(image, (2, 2), "crop", (0,)), half[:, 1:3])
    padded = resize_image(image, (4, 4), "pad", (77,))
    np.testing.assert_array_equal(padded[1:3], half)
    np.testing.assert_array_equal(padded[[0, 3]], np.full((2, 4, 1), 77))
    np.testing.assert_array_equal(resize_image(image, (4, 4), "shrink", (0,)), half)
    assert resize_image(image, (9, 9), "shrink", (0,)) is image
    assert resize_image(image, (4, 8), "pad", (0,)) is image


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["stretch", "crop", "pad", "shrink"]),
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.sampled_from([1, 3]),
)
def test_shapes_and_constant_images(size, wanted, resize, dtype, channels):
    value = dtype(0.25) if dtype == np.float32 else dtype(np.iinfo(dtype).max // 5)
    image = np.full((*size, channels), value)
    result = resize_image(image, wanted, resize, (51,) * channels)
    assert result.dtype == dtype
    if resize != "shrink":
        assert result.shape == (*wanted, channels)
    elif size[0] <= wanted[0] and size[1] <= wanted[1]:
        assert result.shape == image.shape
    else:
        scale = min(wanted[0] / size[0], wanted[1] / size[1])
        rounded = [max(1, round(side * scale)) for side in size]
        assert list(result.shape) == [*rounded, channels]
    if dtype == np.float32:
        outside = np.abs(result - value) > 1e-6
        np.testing.assert_array_equal(result[outside], np.full(outside.sum(), np.float32(0.2)))
        assert resize == "pad" or not outside.any()
    else:
        # The background, 51 of 255, has the value of the image.
        np.testing.assert_array_equal(result, np.full(result.shape, value))


def test_pad_centres_the_image():
    image = np.ones((10, 4, 3), np.float32)
    padded = resize_image(image, (10, 9), "pad", (255, 0, 51))
    expected = np.empty((10, 9, 3), np.float32)
    expected[:] = np.float32([1, 0, 0.2])
    expected[:, 2:6] = 1
    np.testing.assert_array_equal(padded, expected)


def test_crop_takes_the_middle():
    image = np.tile(np.arange(12, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 6, 1))
    np.testing.assert_array_equal(resize_image(image, (6, 6), "crop", (0,)), image[3:9])


def test_enlarging_is_linear():
    image = np.float32([[0, 1]])[..., np.newaxis]
    enlarged = resize_image(image, (1, 4), "stretch", (0,))
    np.testing.assert_allclose(enlarged[0, :, 0], [0, 0.25, 0.75, 1], rtol=0, atol=1e-7)


def test_a_large_image_is_averaged_as_a_small_one():
    # Large images are processed in blocks.
    image = np.random.default_rng(3).integers(0, 256, (700, 900, 3), np.uint8)
    result = resize_image(image, (301, 299), "stretch", (0,) * 3)
    expected = cv2.resize(image, (299, 301), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(result.astype(int), expected, rtol=0, atol=1)
