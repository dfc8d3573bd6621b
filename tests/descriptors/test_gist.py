import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import fft2, fftshift, ifft2

from featx import GIST, ReadImages


def create_gabor(orientations, n):
    """Write out LMgist's createGabor for a square of even side n."""
    parameters = [
        (0.35, 0.3 / 1.85**i, 16 * count**2 / 32**2, np.pi / count * j)
        for i, count in enumerate(orientations)
        for j in range(count)
    ]
    fx, fy = np.meshgrid(np.arange(-n // 2, n // 2), np.arange(-n // 2, n // 2))
    fr, t = fftshift(np.sqrt(fx**2 + fy**2)), fftshift(np.angle(fx + 1j * fy))
    filters = []
    for a, f0, sigma, theta in parameters:
        tr = t + theta
        tr = tr + 2 * np.pi * (tr < -np.pi) - 2 * np.pi * (tr > np.pi)
        filters.append(np.exp(-10 * a * (fr / n / f0 - 1) ** 2 - 2 * sigma * np.pi * tr**2))
    return filters


def prefilt(image, fc=4):
    """Write out LMgist's prefilt for (height, width, channels)."""
    w, s1 = 5, fc / np.sqrt(np.log(2))
    x = np.pad(np.log(image + 1), ((w, w), (w, w), (0, 0)), mode="symmetric")
    sn, sm, _ = x.shape
    n = max(sn, sm)
    n += n % 2
    x = np.pad(x, ((0, n - sn), (0, n - sm), (0, 0)), mode="symmetric")
    fx, fy = np.meshgrid(np.arange(-n // 2, n // 2), np.arange(-n // 2, n // 2))
    gf = fftshift(np.exp(-(fx**2 + fy**2) / s1**2))[..., np.newaxis]
    output = x - ifft2(fft2(x, axes=(0, 1)) * gf, axes=(0, 1)).real
    mean = output.mean(axis=2, keepdims=True)
    localstd = np.sqrt(np.abs(ifft2(fft2(mean**2, axes=(0, 1)) * gf, axes=(0, 1))))
    output = output / (0.2 + localstd)
    return output[w : sn - w, w : sm - w]


def down_n(x, n):
    rows, columns = (np.floor(np.arange(n + 1) * size / n).astype(int) for size in x.shape)
    y = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            y[i, j] = x[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].mean()
    return y


def lmgist(image, orientations=(8, 8, 8, 8), n_blocks=4, border=32):
    """Write out LMgist for a square image of even side (side, side, channels), in float64."""
    x = image.astype(np.float64)
    x = x - x.min()
    x = prefilt(255 * x / x.max())
    filters = create_gabor(orientations, x.shape[0] + 2 * border)
    gist = []
    for channel in range(x.shape[2]):
        spectrum = fft2(np.pad(x[..., channel], border, mode="symmetric"))
        for transfer in filters:
            magnitude = np.abs(ifft2(spectrum * transfer))
            inside = slice(border, magnitude.shape[0] - border)
            # MATLAB strings a matrix together column by column.
            gist.append(down_n(magnitude[inside, inside], n_blocks).ravel(order="F"))
    return np.concatenate(gist)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [128, 96, 38])
def test_the_numbers_and_their_order_are_those_of_lmgist(side, channels):
    image = np.random.default_rng(0).random((side, side, channels), np.float32)
    np.testing.assert_allclose(GIST().fit_transform([image])[0], lmgist(image), rtol=1e-5)


@settings(max_examples=20)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(8, 40),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(0, 20),
)
def test_the_parameters_are_those_of_lmgist(seed, half, orientations, n_blocks, border):
    image = np.random.default_rng(seed).random((2 * half, 2 * half, 1), np.float32)
    stage = GIST(orientations, (n_blocks, n_blocks), boundary_extension=border)
    expected = lmgist(image, orientations, n_blocks, border)
    np.testing.assert_allclose(stage.fit_transform([image])[0], expected, rtol=1e-4, atol=1e-6)


def test_photographs_give_the_numbers_of_lmgist(real_data):
    for folder in ("coast", "tallbuilding", "forest"):
        path = sorted((real_data / "scenes8" / "train" / folder).iterdir())[0]
        for mode, size in (("gray", 128), ("rgb", 128), ("gray", 256)):
            (image,) = ReadImages(size=(size, size), mode=mode).fit_transform([path])
            np.testing.assert_allclose(GIST().fit_transform([image])[0], lmgist(image), rtol=1e-5)


def literal(image, orientations, blocks, border):
    """Compute what the class says of a prefiltered image of any size, in float64."""
    padded = np.pad(image[..., 0].astype(np.float64), border, mode="symmetric")
    spectrum = fft2(padded)
    features = []
    for s, count in enumerate(orientations):
        for o in range(count):
            transfer = np.zeros(padded.shape)
            for i, down in enumerate(np.fft.fftfreq(padded.shape[0])):
                for j, across in enumerate(np.fft.fftfreq(padded.shape[1])):
                    turn = (np.arctan2(-down, across) - np.pi * o / count + np.pi) % (2 * np.pi)
                    along = np.hypot(down, across) / (0.3 / 1.85**s) - 1
                    turn = (turn - np.pi) ** 2 * count**2 / 64
                    transfer[i, j] = np.exp(-3.5 * along**2 - 2 * np.pi * turn)
            magnitude = np.abs(ifft2(spectrum * transfer))
            height, width = image.shape[:2]
            inside = magnitude[border : border + height, border : border + width]
            features += [
                inside[
                    row * height // blocks[0] : (row + 1) * height // blocks[0],
                    column * width // blocks[1] : (column + 1) * width // blocks[1],
                ].mean()
                for column in range(blocks[1])
                for row in range(blocks[0])
            ]
    return np.array(features)


@pytest.mark.parametrize("shape", [(40, 23), (17, 33), (5, 5), (2, 3)])
def test_images_of_any_size_without_the_prefilter(shape):
    image = np.random.default_rng(0).random((*shape, 1), np.float32)
    stage = GIST([3, 8], (2, 3), prefilter=None, boundary_extension=6)
    expected = literal(image, [3, 8], (2, 3), 6)
    np.testing.assert_allclose(stage.fit_transform([image])[0], expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(64, 40, 3), (33, 50, 1), (1, 1, 1), (4, 90, 2)])
def test_the_prefilter_works_on_any_size(shape):
    image = np.random.default_rng(0).random(shape, np.float32)
    stage, bare = GIST([4], (1, 1)), GIST([4], (1, 1), prefilter=None)
    x = image - image.min()
    even = prefilt(255 * x.astype(np.float64) / max(x.max(), 1e-30)).astype(np.float32)
    result = stage.fit_transform([image])
    np.testing.assert_allclose(result, bare.fit_transform([even]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135])
@pytest.mark.parametrize("scale", [0, 1, 2])
def test_a_wave_is_found_at_its_scale_and_direction(degrees, scale):
    rows, columns = np.mgrid[:96, :96]
    angle = np.radians(degrees)
    # The direction is counter-clockwise, rows count downwards.
    wave = np.cos(2 * np.pi * 0.3 / 1.85**scale * (columns * np.cos(angle) - rows * np.sin(angle)))
    stage = GIST([4, 4, 4], (1, 1)).fit([wave.astype(np.float32)])
    (vector,) = stage.transform([wave.astype(np.float32)])
    name = stage.get_feature_names_out()[vector.argmax()]
    assert name == f"gray_scale{scale}_orientation{degrees // 45}_block0_0"


@pytest.mark.parametrize("value", [0, 0.3, 1])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_flat_image_gives_zero(value, channels):
    image = np.full((20, 30, channels), value, np.float32)
    np.testing.assert_array_equal(
        GIST().fit_transform([image]), np.zeros((1, 512 * channels), np.float32)
    )


def test_brightness_and_contrast_of_the_whole_image_do_not_matter():
    image = np.random.default_rng(0).random((48, 48), np.float32)
    stage = GIST().fit([image])
    dim = stage.transform([image * 0.25 + 0.5])
    np.testing.assert_allclose(dim, stage.transform([image]), rtol=1e-4)


def test_names_tell_where_each_entry_is_from():
    image = np.zeros((16, 24, 3), np.float32)
    # Something in the second block of the upper row of the green channel.
    image[1:7, 13:17, 1] = np.random.default_rng(0).random((6, 4))
    stage = GIST([2, 3], (2, 3), prefilter=None, boundary_extension=4).fit([image])
    names = stage.get_feature_names_out()
    (vector,) = stage.transform([image])
    assert len(names) == len(set(names)) == len(vector) == 3 * 5 * 6
    assert names[vector.argmax()].startswith("green_scale")
    assert names[vector.argmax()].endswith("block0_1")
    assert [name for name, value in zip(names, vector, strict=True) if value > 1e-6] == [
        name for name in names if name.startswith("green")
    ]


def test_too_small():
    with pytest.raises(ValueError) as error:
        GIST().fit([np.zeros((4, 3), np.float32)])
    assert str(error.value) == (
        "GIST needs at least 4 x 4 pixels with these parameters, but image 0 is 4 x 3 pixels."
    )
