import numpy as np
import pytest
from scipy import ndimage

from featx import ScaleSpace
from featx.filters.scale_space import smoothing_plan

SIGMAS = [
    (1.0, 2.0, 4.0),
    (0.5, 0.7, 0.9, 1.4),  # steps too narrow to be sampled
    (1.6, 1.6 * 2**0.5, 3.2, 3.2 * 2**0.5, 6.4),
    (3.0,),
]


def direct(image, sigmas):
    """Smooth each channel by each Gaussian, in float64: (h, w, c, scales)."""
    channels = np.moveaxis(image.astype(np.float64), 2, 0)
    scales = [
        [ndimage.gaussian_filter(x, sigma, truncate=8, mode="mirror") for sigma in sigmas]
        for x in channels
    ]
    return np.transpose(scales, (2, 3, 0, 1))


@pytest.mark.parametrize("sigmas", SIGMAS)
@pytest.mark.parametrize("shape", [(48, 40, 1), (21, 33, 3), (2, 1, 2)])
def test_equals_direct_smoothing(sigmas, shape):
    image = np.random.default_rng(0).random(shape, np.float32)
    result = ScaleSpace(sigmas).fit_transform([image])[0]
    expected = direct(image, sigmas).reshape(*shape[:2], -1)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sigmas", SIGMAS[:3])
def test_differences_of_gaussians(sigmas):
    image = np.random.default_rng(0).random((32, 31, 2), np.float32)
    result = ScaleSpace(sigmas, difference=True).fit_transform([image])[0]
    expected = np.diff(direct(image, sigmas), axis=3).reshape(32, 31, -1)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_each_scale_starts_from_the_nearest_that_is_far_enough():
    plan = smoothing_plan((1.0, 1.2, 2.0, 4.0))
    assert [source for source, _ in plan] == [None, None, 1, 2]
    assert [sigma for _, sigma in plan] == [1.0, 1.2, 1.6, pytest.approx(12**0.5)]


def test_names():
    image = np.zeros((8, 8, 3), np.float32)
    space = ScaleSpace([1, 2.5]).fit([image])
    assert space.get_feature_names_out().tolist() == [
        "red_scale1",
        "red_scale2.5",
        "green_scale1",
        "green_scale2.5",
        "blue_scale1",
        "blue_scale2.5",
    ]
    dogs = ScaleSpace([1, 2.5, 4], difference=True).fit([image[..., :1]])
    assert dogs.get_feature_names_out().tolist() == ["gray_dog1_2.5", "gray_dog2.5_4"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sigmas": [2, 1]}, "ScaleSpace: sigmas must increase, but got [2, 1]."),
        (
            {"sigmas": [2.0], "difference": True},
            "ScaleSpace: differences need at least two sigmas, but got [2.0].",
        ),
    ],
)
def test_sigmas_that_do_not_fit(parameters, message):
    with pytest.raises(ValueError) as error:
        ScaleSpace(**parameters).fit(np.zeros((1, 8, 8, 1)))
    assert str(error.value) == message
