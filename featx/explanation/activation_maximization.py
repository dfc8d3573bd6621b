"""Activation maximization: images that excite a unit, found by gradient ascent."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from featx.explanation.networks import of_unit, opened_network, usual_shape
from featx.networks.conv_net import ConvNet
from featx.networks.layers import UpToLayer
from featx.networks.pretrained_net import PretrainedNet

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Net = ConvNet | PretrainedNet
#: Maximum standard deviation of the restart noise, in standard deviations of the pixels.
_MOST_NOISE = 2.0


@dataclass(frozen=True)
class Regularizers:
    """Regularization of activation maximization.

    Attributes
    ----------
    jitter : float
        Maximum random shift of the image before each step, as a fraction of its shorter side.
    decay : float
        After each step, pixels are multiplied by ``1 - decay``.
    blur : float
        Standard deviation in pixels of the Gaussian blur applied to each step, and to the image
        after every fourth step.
    first_blur : float
        Increase of that standard deviation at the first step, as a fraction of the shorter side.
        It decreases linearly to zero, so that coarse structure forms before fine structure.
    norm_percentile, contribution_percentile : float
        After every fourth step, pixels are set to the mean color if their norm, or their
        contribution to the activation, is below this percentile.
    """

    jitter: float = 0.05
    decay: float = 0.01
    blur: float = 1.0
    first_blur: float = 0.02
    norm_percentile: float = 30
    contribution_percentile: float = 5


def maximize_activation(
    net: Net,
    layer: str,
    unit: int,
    size: tuple[int, int] | None = None,
    steps: int = 200,
    learning_rate: float = 0.12,
    regularizers: Regularizers | None = None,
    random_state: int = 0,
) -> Float32:
    """Compute an image that excites a unit, or the center of a map, by gradient ascent from noise.

    Steps are regularized as in [1]_, and by random shifts as in [2]_, which suppress patterns that
    excite the unit at a single position only. While the gradient is zero, the image is replaced
    by stronger noise.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    layer : str
        The layer's name.
    unit : int
        Index of the unit, or of the channel if the layer outputs maps.
    size : (int, int), optional
        Height and width. Defaults to those of the training images, or to 224 × 224.
    steps : int, default=200
        Number of steps.
    learning_rate : float, default=0.12
        Root mean square of a step, in standard deviations of the pixels.
    regularizers : Regularizers, optional
        Regularization before and after the steps. Defaults to ``Regularizers()``.
    random_state : int, default=0
        Random seed for the noise and the shifts.

    Returns
    -------
    ndarray of float32, (height, width, channels)
        The image, with values in [0, 1].

    References
    ----------
    .. [1] J. Yosinski et al., "Understanding Neural Networks Through Deep Visualization", ICML
       2015 workshop on deep learning.
    .. [2] C. Olah, A. Mordvintsev and L. Schubert, "Feature Visualization", Distill 2017.
    """
    opened, regularizers = opened_network(net), regularizers or Regularizers()
    height, width = size or usual_shape(net)[:2]
    network = UpToLayer(opened.network, layer)
    rng = np.random.default_rng(random_state)
    shape, noise = (height, width, len(opened.mean)), 0.1
    image = rng.normal(scale=noise, size=shape).astype(np.float32)
    farthest = round(regularizers.jitter * min(height, width))
    for step in range(steps):
        shift = rng.integers(-farthest, farthest, 2, endpoint=True)
        shifted = np.roll(image, shift, axis=(0, 1))
        ascent = np.roll(_slope(network, shifted, layer, unit), -shift, axis=(0, 1))
        more = regularizers.first_blur * min(height, width) * (1 - step / steps)
        ascent = _blurred(ascent, regularizers.blur + more)
        longest = np.sqrt(np.mean(ascent**2))
        if longest == 0:
            # The gradient of an inactive unit is zero: restart from stronger noise.
            noise = min(1.5 * noise, _MOST_NOISE)
            image = rng.normal(scale=noise, size=shape).astype(np.float32)
            continue
        share = np.abs((ascent * image).sum(axis=2))
        image = image + learning_rate * ascent / longest
        image = image * np.float32(1 - regularizers.decay)
        if step % 4 == 3 and step < steps - 4:
            norms = np.linalg.norm(image, axis=2)
            image[norms < np.percentile(norms, regularizers.norm_percentile)] = 0
            image[share < np.percentile(share, regularizers.contribution_percentile)] = 0
            image = _blurred(image, regularizers.blur)
    pixels: Float32 = np.clip(image * opened.deviation + opened.mean, 0, 1).astype(np.float32)
    return pixels


def _slope(network: UpToLayer, image: Float32, layer: str, unit: int) -> Float32:
    """Compute the gradient of a unit's activation, or of the center of its map."""
    x = torch.from_numpy(image).permute(2, 0, 1)[np.newaxis].requires_grad_()
    found = of_unit(network(x), layer, unit)
    middle = found[tuple(side // 2 for side in found.shape)] if found.ndim else found
    (gradient,) = torch.autograd.grad(middle, x)
    slope: Float32 = gradient[0].permute(1, 2, 0).numpy()
    return slope


def _blurred(image: Float32, sigma: float) -> Float32:
    if sigma <= 0:
        return image
    # OpenCV drops the axis of a single channel.
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.asarray(blurred, np.float32).reshape(image.shape)
