import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featx import LocalContrast


def literal(image, size, subtract_mean, epsilon):
    """Follow the formula pixel by pixel, in float64."""
    x = image.astype(np.float64)
    if size is None:
        mean = x.mean(axis=(0, 1)) * subtract_mean
        return (x - mean) / np.maximum(np.sqrt(np.mean((x - mean) ** 2, axis=(0, 1))), epsilon)
    half = size // 2
    around = np.pad(x, [(half, half), (half, half), (0, 0)], mode="reflect")
    result = np.empty_like(x)
    for row, column in np.ndindex(x.shape[:2]):
        window = around[row : row + size, column : column + size]
        mean = window.mean(axis=(0, 1)) * subtract_mean
        deviation = np.sqrt(np.mean((window - mean) ** 2, axis=(0, 1)))
        result[row, column] = (x[row, column] - mean) / np.maximum(deviation, epsilon)
    return result


@pytest.mark.parametrize("subtract_mean", [True, False])
@pytest.mark.parametrize("size", [1, 3, 9, None])
@pytest.mark.parametrize("shape", [(20, 17, 1), (12, 12, 3), (3, 5, 2), (1, 1, 1), (1, 8, 4)])
def test_equals_the_formula(shape, size, subtract_mean):
    image = np.random.default_rng(0).random(shape, np.float32)
    for epsilon in (1e-3, 0.5):
        result = LocalContrast(size, subtract_mean, epsilon).fit_transform([image])[0]
        expected = literal(image, size, subtract_mean, epsilon)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [3, 7, None])
def test_a_large_offset_loses_no_digits(size):
    fine = np.random.default_rng(0).integers(0, 8, (24, 24, 1)).astype(np.float32)
    result = LocalContrast(size).fit_transform([fine + 1e6])[0]
    np.testing.assert_allclose(result, literal(fine, size, True, 1e-3), rtol=1e-5, atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5, None]), st.integers(-3, 3))
def test_light_does_not_matter(seed, size, stops):
    # Powers of two and whole numbers, so that the images differ by nothing but light.
    image = np.random.default_rng(seed).integers(0, 64, (9, 9, 2)).astype(np.float32)
    stage = LocalContrast(size, epsilon=1e-6)
    expected = stage.fit_transform([image])
    brighter = image * np.float32(2.0**stops) + 32
    np.testing.assert_allclose(stage.fit_transform([brighter]), expected, rtol=0, atol=1e-4)


def test_unit_energy():
    images = np.random.default_rng(0).normal(size=(3, 10, 12, 4)).astype(np.float32) * 7
    scaled = LocalContrast(size=None, subtract_mean=False).fit_transform(images)
    np.testing.assert_allclose((scaled**2).mean(axis=(1, 2)), np.ones((3, 4)), rtol=1e-6)


@pytest.mark.parametrize("size", [9, None])
def test_even_regions_give_zero_and_noise_in_them_stays_small(size):
    even = np.full((16, 16, 1), 0.7, np.float32)
    np.testing.assert_array_equal(
        LocalContrast(size).fit_transform([even]), np.zeros((1, 16, 16, 1))
    )
    noise = np.random.default_rng(0).uniform(-1e-5, 1e-5, even.shape).astype(np.float32)
    result = LocalContrast(size, epsilon=1e-3).fit_transform([even + noise])
    assert np.abs(result).max() < 0.03


@pytest.mark.parametrize("size", [2, 10])
def test_a_window_has_a_centre(size):
    with pytest.raises(ValueError) as error:
        LocalContrast(size=size).fit([np.zeros((8, 8), np.float32)])
    assert str(error.value) == (
        f"LocalContrast: size={size} is even, but the window needs a center pixel. Use {size + 1}."
    )


def test_names():
    stage = LocalContrast().fit([np.zeros((4, 4, 2), np.float32)])
    assert stage.get_feature_names_out(["edges", "lines"]).tolist() == ["edges", "lines"]
