import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate
from skimage.feature import match_template

from featx import OrientedEdges, PatternMatch
from featx.filters.lines import line_kernel

PAD_MODES = {"zero": "constant", "reflect": "reflect", "edge": "edge"}
seeds = st.integers(0, 2**32 - 1)


def padded(image, size, padding):
    if padding == "valid":
        return image.astype(np.float64)
    around = [((k - 1) // 2, k // 2) for k in size]
    return np.pad(image.astype(np.float64), (*around, (0, 0)), mode=PAD_MODES[padding])


def literal_ncc(image, pattern):
    """Compute every window's normalized cross-correlation by itself: (h, w, 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, pattern.shape).astype(np.float64)
    axes = tuple(range(-pattern.ndim, 0))
    windows = windows - windows.mean(axis=axes, keepdims=True)
    varying = pattern.astype(np.float64) - pattern.mean(dtype=np.float64)
    norm = np.sqrt((windows**2).sum(axis=axes) * (varying**2).sum())
    covariance = (windows * varying).sum(axis=axes)
    return np.divide(covariance, norm, out=np.zeros_like(norm), where=norm > 1e-6)


@pytest.mark.parametrize("padding", ["valid", *PAD_MODES])
@pytest.mark.parametrize("length", [1, 4, 9])
@pytest.mark.parametrize("orientation", [0, 90])
def test_upright_and_level_lines_are_means_of_one_pixel_width(padding, length, orientation):
    image = np.random.default_rng(0).random((14, 13, 2), np.float32)
    match = PatternMatch(length=length, orientation=orientation, padding=padding)
    size = (length, 1) if orientation == 90 else (1, length)
    windows = np.lib.stride_tricks.sliding_window_view(padded(image, size, padding), size, (0, 1))
    result = match.fit_transform([image])[0]
    np.testing.assert_allclose(result, windows.mean(axis=(3, 4)), rtol=1e-5, atol=1e-7)
    assert result.flags.c_contiguous


@pytest.mark.parametrize("padding", ["valid", *PAD_MODES])
@pytest.mark.parametrize("orientation", [22.5, 45.0, 120.0])
@pytest.mark.parametrize("length", [5, 24])
def test_other_lines_are_correlations_with_their_kernel(padding, orientation, length):
    image = np.random.default_rng(0).random((40, 42, 2), np.float32)
    match = PatternMatch(length=length, orientation=orientation, padding=padding)
    kernel = line_kernel(length, orientation)
    expected = correlate(
        padded(image, kernel.shape, padding), kernel[..., np.newaxis], mode="valid"
    )
    np.testing.assert_allclose(match.fit_transform([image])[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 9, 30, 31])
@pytest.mark.parametrize("angle", [10, 22.5, 45, 60, 112.5, 179])
def test_line_kernel(length, angle):
    kernel = line_kernel(length, angle).astype(np.float64)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    # It is centered, as small as can be, and of the given direction and length.
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-9)
    assert kernel[0].any()
    assert kernel[:, 0].any()
    rows, columns = np.indices(kernel.shape) - (np.array(kernel.shape)[:, None, None] - 1) / 2
    theta = np.deg2rad(angle)
    along, across = (
        columns * np.cos(theta) - rows * np.sin(theta),
        columns * np.sin(theta) + rows * np.cos(theta),
    )
    assert abs(across[kernel > 0]).max() < 1
    assert abs(along[kernel > 0]).max() < (length + 1) / 2
    if length >= 9:
        assert np.sqrt(12 * (kernel * along**2).sum()) == pytest.approx(length, rel=0.03)


def test_line_kernel_at_45_degrees_by_hand():
    # Pixels of the rising diagonal weigh 1, those beside it 1 - √½, its ends less.
    beside = 1 - 0.5**0.5
    end = 2 - 2**0.5
    expected = np.array([[0, beside, end], [beside, 1, beside], [end, beside, 0]])
    np.testing.assert_allclose(line_kernel(3, 45), expected / expected.sum(), rtol=1e-6)


def test_a_line_is_found_where_it_lies():
    rows, columns = np.mgrid[-30:31, -30:31]
    theta = np.deg2rad(30)
    image = np.exp(-((columns * np.sin(theta) + rows * np.cos(theta)) ** 2)).astype(np.float32)
    match = PatternMatch(length=21, orientation=[0, 30, 60, 90, 120, 150], padding="zero")
    assert match.fit_transform([image])[0, 30, 30].argmax() == 1


@pytest.mark.parametrize("padding", ["valid", "reflect"])
def test_several_lines_give_all_combinations_in_order(padding):
    image = np.random.default_rng(0).random((30, 32, 2), np.float32)
    bank = PatternMatch(length=[5, 12], orientation=[90, 30, 0], padding=padding).fit([image])
    result = bank.transform([image])[0]
    names = bank.get_feature_names_out().tolist()
    assert names[:3] == ["channel0_line5_090", "channel0_line12_090", "channel0_line5_030"]
    assert names[-1] == "channel1_line12_000"
    # The largest is 12 high and 12 wide: 5 rows and columns are lost before, 6 after.
    inside = np.s_[5:-6, 5:-6] if padding == "valid" else np.s_[:, :]
    for index, name in enumerate(names):
        channel, line, angle = name.split("_")
        single = PatternMatch(length=int(line[4:]), orientation=float(angle), padding="reflect")
        one = image[..., int(channel[-1])]
        expected = single.fit_transform([one])[0, ..., 0][inside]
        np.testing.assert_allclose(result[..., index], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("padding", ["valid", *PAD_MODES])
@pytest.mark.parametrize("lengths", [[21, 4, 4, 1, 12], [7, 70]], ids=["shared sums", "too long"])
def test_lines_of_several_lengths_equal_their_kernels_one_by_one(padding, lengths):
    angles = [0, 90, 22.5, 45.0, 120.0]
    image = np.random.default_rng(0).random((80, 82, 2), np.float32)
    bank = PatternMatch(length=lengths, orientation=angles, padding=padding)
    result = bank.fit_transform([image, image])[1]
    kernels = [line_kernel(length, angle) for angle in angles for length in lengths]
    window = np.max([kernel.shape for kernel in kernels], axis=0)
    around = padded(image, window, padding)
    for index, kernel in enumerate(kernels):
        top, left = (
            (outer - 1) // 2 - (k - 1) // 2 for outer, k in zip(window, kernel.shape, strict=True)
        )
        low, right = window - kernel.shape - (top, left)
        inside = around[top : len(around) - low, left : around.shape[1] - right]
        expected = correlate(inside, kernel[..., np.newaxis].astype(np.float64), mode="valid")
        for channel in range(2):
            response = result[..., channel * len(kernels) + index]
            np.testing.assert_allclose(response, expected[..., channel], rtol=0, atol=1e-6)


@pytest.mark.parametrize("padding", ["valid", "zero"])
def test_each_channel_with_the_line_of_its_own_orientation(padding):
    image = np.random.default_rng(0).random((40, 41, 2), np.float32)
    angles = [0, 45, 90, 135]
    maps = OrientedEdges(angles).fit_transform([image])
    parameters = {"length": [9, 15], "orientation": angles, "padding": padding}
    every = PatternMatch(**parameters).fit(maps)
    each = PatternMatch(**parameters, each=True).fit(maps)
    channels = [f"c{index}" for index in range(8)]
    names = each.get_feature_names_out(channels).tolist()
    assert names[:4] == ["c0_line9_000", "c0_line15_000", "c1_line9_045", "c1_line15_045"]
    assert names[-1] == "c7_line15_135"
    all_names = every.get_feature_names_out(channels).tolist()
    chosen = [all_names.index(name) for name in names]
    expected = every.transform(maps)[..., chosen]
    np.testing.assert_allclose(each.transform(maps), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("padding", ["valid", *PAD_MODES])
@pytest.mark.parametrize("size", [(3, 4), (12, 13)])
def test_an_image_as_pattern_is_matched_with_each_channel(padding, size):
    rng = np.random.default_rng(0)
    image, pattern = rng.random((20, 21, 3), np.float32), rng.random(size, np.float32)
    expected = correlate(padded(image, size, padding), pattern[..., None], mode="valid")
    result = PatternMatch(pattern, padding=padding).fit_transform([image])[0]
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.parametrize("padding", ["valid", *PAD_MODES])
@pytest.mark.parametrize("size", [(3, 4), (12, 13)])
def test_a_colour_pattern_is_summed_over_channels(padding, size):
    rng = np.random.default_rng(0)
    image, pattern = rng.random((20, 21, 3), np.float32), rng.random((*size, 3), np.float32)
    match = PatternMatch(pattern, padding=padding).fit([image])
    expected = correlate(padded(image, size, padding), pattern, mode="valid")
    np.testing.assert_allclose(match.transform([image])[0], expected, rtol=1e-5)
    assert match.get_feature_names_out().tolist() == ["pattern"]


@given(
    seeds,
    st.tuples(st.integers(12, 24), st.integers(13, 24), st.integers(1, 3)),
    st.tuples(st.integers(1, 12), st.integers(2, 13)),
    st.sampled_from(["valid", *PAD_MODES]),
)
def test_ncc_equals_the_definition(seed, shape, size, padding):
    rng = np.random.default_rng(seed)
    # Gray levels as photographs have them: what varies, varies by more than rounding.
    image = (rng.integers(0, 256, shape) / 255).astype(np.float32)
    pattern = rng.random(size)
    larger = padded(image, size, padding)
    channels = [literal_ncc(larger[..., n], pattern) for n in range(shape[2])]
    result = PatternMatch(pattern, method="ncc", padding=padding).fit_transform([image])[0]
    np.testing.assert_allclose(result, np.stack(channels, axis=2), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(31, 31), (8, 5)])
@pytest.mark.parametrize("offset", [0, 10])
def test_ncc_equals_scikit_image(size, offset):
    rng = np.random.default_rng(0)
    image = (rng.random((96, 90, 3)) + offset).astype(np.float32)
    gray, color = rng.random(size), rng.random((*size, 3))
    exact = image.astype(np.float64)
    result = PatternMatch(gray, method="ncc").fit_transform([image])[0]
    expected = np.stack([match_template(exact[..., n], gray) for n in range(3)], axis=2)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)
    result = PatternMatch(color, method="ncc").fit_transform([image])[0]
    np.testing.assert_allclose(result, match_template(exact, color), rtol=0, atol=1e-5)


@pytest.mark.parametrize("contrast", [1, 1 / 255])
def test_ncc_finds_a_patch_whatever_its_brightness(contrast):
    rng = np.random.default_rng(0)
    image = rng.random((40, 40, 3))
    patch = image[7:19, 20:33].copy()
    dark = (0.5 + contrast * image).astype(np.float32)
    response = PatternMatch(patch, method="ncc").fit_transform([dark])[0, ..., 0]
    assert np.unravel_index(response.argmax(), response.shape) == (7, 20)
    assert response.max() == pytest.approx(1, abs=1e-4)
    assert abs(response).max() <= 1
    negative = PatternMatch(-patch, method="ncc").fit_transform([dark])[0, ..., 0]
    np.testing.assert_allclose(negative, -response, rtol=0, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 0.7, 1000.1])
def test_ncc_is_zero_where_the_image_does_not_vary(value):
    rng = np.random.default_rng(0)
    image = np.full((60, 64), value, np.float32)
    image[:, :20] += rng.random((60, 20), np.float32)
    pattern = rng.random((7, 9))
    response = PatternMatch(pattern, method="ncc").fit_transform([image])[0, ..., 0]
    np.testing.assert_array_equal(response[:, 20:], 0)
    assert (response[:, :20] != 0).all()
    constant = PatternMatch(pattern, method="ncc").fit_transform([image[:, 20:]])
    np.testing.assert_array_equal(constant, 0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"method": "ncc"},
            "PatternMatch: method='ncc' does not support pattern='line', whose weights are "
            "constant. Pass an array that includes the surroundings of the line.",
        ),
        (
            {"method": "ncc", "pattern": np.ones((3, 3))},
            "PatternMatch: method='ncc' requires a pattern that varies, but all its values are "
            "equal.",
        ),
        (
            {"each": True},
            "PatternMatch: each=True requires pattern='line' and a list of orientations, one per "
            "channel.",
        ),
        (
            {"each": True, "orientation": [0, 90], "length": 3},
            "PatternMatch: each=True with 2 orientations requires a multiple of 2 channels, got 3.",
        ),
        (
            {"pattern": np.ones((3, 3, 2))},
            "PatternMatch: the number of channels is 2 in the pattern, but 3 in the image. They "
            "must be equal.",
        ),
        (
            {"length": [3, 31], "orientation": [0, 90]},
            "PatternMatch needs at least 31 x 31 pixels with these parameters, but image 0 is 9 "
            "x 8 pixels.",
        ),
    ],
)
def test_errors(parameters, message):
    with pytest.raises(ValueError) as error:
        PatternMatch(**parameters).fit_transform([np.zeros((9, 8, 3), np.float32)])
    assert str(error.value) == message


# Signals.


def literal_ncc_along(signal, pattern):
    windows = np.lib.stride_tricks.sliding_window_view(signal.astype(np.float64), len(pattern))
    return np.array([np.corrcoef(window, pattern)[0, 1] for window in windows])


@pytest.mark.parametrize("length", [2, 30, 400])
def test_ncc_along_signals_equals_the_definition(length):
    rng = np.random.default_rng(0)
    signal, pattern = rng.normal(0, 1, (2000, 2)).astype(np.float32), rng.normal(0, 1, length)
    (result,) = PatternMatch(pattern, method="ncc").fit_transform([signal])
    for channel in (0, 1):
        expected = literal_ncc_along(signal[:, channel], pattern)
        np.testing.assert_allclose(result[:, channel], expected, rtol=0, atol=2e-5)


def test_correlation_along_signals_is_that_of_numpy():
    rng = np.random.default_rng(0)
    signal, pattern = rng.normal(0, 1, 500), rng.normal(0, 1, 20)
    (result,) = PatternMatch(pattern).fit_transform([signal])
    np.testing.assert_allclose(result, np.correlate(signal, pattern, "valid"), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("loudness", "noise"), [(1, 0), (0.05, 0.002), (0.3, 0.3)])
def test_a_sound_is_found_in_a_recording(loudness, noise):
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 1, 2000)
    recording = rng.normal(0, noise, 50_000)
    recording[31_234:33_234] += loudness * sound
    (match,) = PatternMatch(sound, method="ncc").fit_transform([recording])
    assert match.argmax() == 31_234
    if noise < loudness:
        assert match.max() > 0.99
