import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.filters import gabor, gabor_kernel

from featx import GaborBank, Sobel

RESPONSES = ("even", "odd", "both", "energy", "magnitude")


def literal_kernels(frequency, angle, bandwidth, aspect_ratio, zero_mean, truncate):
    """Sample what the class says, in float64."""
    theta, octaves = np.radians(angle), 2.0**bandwidth
    sigma = np.sqrt(np.log(2) / 2) / np.pi * (octaves + 1) / (octaves - 1) / frequency
    reach = truncate * sigma
    down = np.ceil(
        max(abs(reach * np.cos(theta)), abs(reach / aspect_ratio * np.sin(theta)), 1)
    ).astype(int)
    right = np.ceil(
        max(abs(reach * np.sin(theta)), abs(reach / aspect_ratio * np.cos(theta)), 1)
    ).astype(int)
    even, odd, weight = (np.zeros((2 * down + 1, 2 * right + 1)) for _ in range(3))
    for i, j in np.ndindex(even.shape):
        x, y = j - right, i - down
        u = x * np.sin(theta) + y * np.cos(theta)
        v = x * np.cos(theta) - y * np.sin(theta)
        w = aspect_ratio / (2 * np.pi * sigma**2)
        w *= np.exp(-(u**2 + aspect_ratio**2 * v**2) / (2 * sigma**2))
        weight[i, j] = w
        even[i, j] = w * np.cos(2 * np.pi * frequency * u)
        odd[i, j] = -w * np.sin(2 * np.pi * frequency * u)
    if zero_mean:
        even -= weight * even.sum() / weight.sum()
    return even, odd


def literal(image, stage):
    """Correlate every channel with every kernel, in float64."""
    modes = {"reflect": "mirror", "edge": "nearest", "zero": "constant", "valid": "constant"}
    angles = stage.orientations
    if not isinstance(angles, list):
        angles = [180 * n / angles for n in range(angles)]
    shape = stage.bandwidth, stage.aspect_ratio, stage.zero_mean, stage.truncate
    kernels = [literal_kernels(f, angle, *shape) for f in stage.frequencies for angle in angles]
    responses = []
    for channel in np.moveaxis(image.astype(np.float64), 2, 0):
        for pair in kernels:
            even, odd = (ndimage.correlate(channel, k, mode=modes[stage.padding]) for k in pair)
            responses += {
                "even": [even],
                "odd": [odd],
                "both": [even, odd],
                "energy": [even**2 + odd**2],
                "magnitude": [np.hypot(even, odd)],
            }[stage.response]
    maps = np.stack(responses, axis=-1)
    if stage.padding == "valid":
        height, width = (max(pair[0].shape[axis] for pair in kernels) for axis in (0, 1))
        rows, columns = image.shape[0] - height // 2, image.shape[1] - width // 2
        maps = maps[height // 2 : rows, width // 2 : columns]
    return maps


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("padding", ["reflect", "edge", "zero", "valid"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_maps_are_correlations_with_the_sampled_kernels(response, padding, channels):
    image = np.random.default_rng(0).random((48, 45, channels), np.float32)
    # From 9 x 15 to 41 x 21: the smallest are applied directly, others by the Fourier transform.
    stage = GaborBank([0.5, 0.3, 0.17], 3, response, padding=padding)
    result = stage.fit_transform([image])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[0], literal(image, stage), rtol=0, atol=1e-6)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.lists(st.floats(0.08, 0.5), min_size=1, max_size=2),
    st.one_of(
        st.integers(1, 3), st.lists(st.floats(0, 180, exclude_max=True), min_size=1, max_size=2)
    ),
    st.floats(0.5, 2),
    st.floats(0.4, 1.5),
    st.booleans(),
    st.floats(1, 3),
)
def test_all_parameters(seed, shape, frequencies, orientations, bandwidth, ratio, zero, truncate):
    image = np.random.default_rng(seed).random((*shape, 1), np.float32)
    stage = GaborBank(frequencies, orientations, "both", bandwidth, ratio, zero, truncate)
    result = stage.fit_transform([image])[0]
    np.testing.assert_allclose(result, literal(image, stage), rtol=0, atol=2e-6)


@pytest.mark.parametrize("angle", [0, 30, 90, 135, 170])
@pytest.mark.parametrize(("frequency", "ratio", "bandwidth"), [(0.3, 1, 1), (0.12, 0.5, 1.4)])
def test_kernels_and_maps_are_those_of_scikit_image(angle, frequency, ratio, bandwidth):
    stage = GaborBank([frequency], [angle], "both", bandwidth, ratio, zero_mean=False)
    sigma = np.sqrt(np.log(2) / 2) / np.pi * (2**bandwidth + 1) / (2**bandwidth - 1) / frequency
    theirs = {"theta": np.radians(90 - angle), "bandwidth": bandwidth, "sigma_y": sigma / ratio}
    kernel = gabor_kernel(frequency, **theirs)
    # An impulse is answered with the kernel, turned by 180 degrees: the odd part changes sign.
    height, width = kernel.shape
    impulse = np.zeros((2 * height - 1, 2 * width - 1), np.float32)
    impulse[height - 1, width - 1] = 1
    even, odd = np.moveaxis(stage.fit_transform([impulse])[0], 2, 0)
    around = (slice(height // 2, height // 2 + height), slice(width // 2, width // 2 + width))
    np.testing.assert_allclose(even[around], kernel.real, rtol=0, atol=1e-7)
    np.testing.assert_allclose(odd[around], kernel.imag, rtol=0, atol=1e-7)
    image = np.random.default_rng(0).random((60, 50), np.float32)
    expected = gabor(image.astype(np.float64), frequency, **theirs, mode="mirror")
    result = np.moveaxis(stage.fit_transform([image])[0], 2, 0)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("frequency", [0.25, 0.0884])
@pytest.mark.parametrize("phase", [0, 0.7, np.pi / 2])
def test_complex_cells_do_not_mind_the_phase(frequency, phase):
    columns = np.arange(120) * np.ones((120, 1))
    grating = 0.5 + 0.3 * np.cos(2 * np.pi * frequency * columns + phase)
    stage = GaborBank([0.25, 0.0884], [0, 90], "magnitude")
    center = stage.fit_transform([grating.astype(np.float32)])[0, 60, 60]
    expected = np.zeros(4)
    expected[1 if frequency == 0.25 else 3] = 0.15
    np.testing.assert_allclose(center, expected, atol=0.012)


def test_odd_cells_have_the_sign_of_sobel():
    image = np.zeros((31, 31), np.float32)
    image[:, :15] = 1
    image[:12] += 1
    vertical, horizontal = Sobel("both").fit_transform([image])[0, [20, 11], [14, 25], [0, 1]]
    stage = GaborBank([0.2], [90, 0], "odd")
    ours = stage.fit_transform([image])[0, [20, 11], [14, 25], [0, 1]]
    assert vertical > 0
    assert horizontal > 0
    assert (ours > 0.05).all()


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("shape", [(40, 50), (1, 1), (1, 9), (7, 2)])
def test_a_flat_image_gives_zero(response, shape):
    image = np.full(shape, 0.7, np.float32)
    result = GaborBank(response=response).fit_transform([image])
    np.testing.assert_allclose(result, 0, atol=1e-6)


def test_images_of_several_sizes_and_batches():
    images = [np.random.default_rng(n).random((20 + n, 30), np.float32) for n in range(4)]
    stage = GaborBank(orientations=2).fit(images)
    for image, result in zip(images, stage.transform(images), strict=True):
        np.testing.assert_array_equal(stage.transform([image])[0], result)


def test_names_say_which_filter_of_which_channel():
    image = np.zeros((9, 9, 3), np.float32)
    stage = GaborBank([0.25, 0.1], [0, 22.5], "both").fit([image])
    names = stage.get_feature_names_out()
    assert names[:4].tolist() == [
        "red_gabor_0.25_0_even",
        "red_gabor_0.25_0_odd",
        "red_gabor_0.25_22.5_even",
        "red_gabor_0.25_22.5_odd",
    ]
    assert names[-1] == "blue_gabor_0.1_22.5_odd"
    assert len(set(names)) == stage.transform([image]).shape[-1] == 24


def test_too_small_for_the_largest_kernel():
    with pytest.raises(ValueError) as error:
        GaborBank([0.1], [0], padding="valid").fit([np.zeros((30, 90), np.float32)])
    assert str(error.value) == (
        "GaborBank needs at least 35 x 69 pixels with these parameters, but image 0 is "
        "30 x 90 pixels."
    )
