"""Images that excite a unit of a network, by gradient ascent."""

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
#: Deviation of the noise with which a silent unit is woken, in those of a pixel, at most.
_MOST_NOISE = 2.0


@dataclass(frozen=True)
class Regularizers:
    """What keeps images that excite a unit from being noise.

    Attributes
    ----------
    jitter : float
        Before each step, the image is shifted at random by up to this share of its shorter side.
    decay : float
        After each step, pixels are multiplied by one minus this.
    blur : float
        The deviation, in pixels, of a Gaussian that smooths each step, and after each fourth the
        image.
    first_blur : float
        What is added to that deviation at the first step, as a share of the shorter side; it falls
        evenly to nothing, so that what is large comes before what is small.
    norm_percentile, contribution_percentile : float
        Pixels whose colours have a norm, or a share in the activation, below this percentile
        become the mean colour, after each fourth step.
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
    """Climb from noise to an image that excites a unit, or the middle of a map.

    Steps are regularised as in [1]_, and by random shifts, as in [2]_: they leave nothing that
    excites the unit at one place only. A unit that does not respond is woken with stronger noise.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    layer : str
        The layer's name.
    unit : int
        The unit's number, or the channel's, if the layer gives maps.
    size : (int, int), optional
        Height and width; by default those of the images of `fit`, or 224 × 224.
    steps : int, default=200
        How many steps are taken.
    learning_rate : float, default=0.12
        The length of a step: the root mean square of what is added to the pixels, in deviations.
    regularizers : Regularizers, optional
        What is done before and after the steps.
    random_state : int, default=0
        Seeds the noise and the shifts.

    Returns
    -------
    ndarray of float32, (height, width, channels)
        In [0, 1].

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
            # A silent unit leads nowhere: it is woken with more noise.
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
    """Give by how much each pixel moves the activation of a unit, or of the middle of its map."""
    x = torch.from_numpy(image).permute(2, 0, 1)[np.newaxis].requires_grad_()
    found = of_unit(network(x), layer, unit)
    middle = found[tuple(side // 2 for side in found.shape)] if found.ndim else found
    (gradient,) = torch.autograd.grad(middle, x)
    slope: Float32 = gradient[0].permute(1, 2, 0).numpy()
    return slope


def _blurred(image: Float32, sigma: float) -> Float32:
    if sigma <= 0:
        return image
    # OpenCV leaves out the axis of a single channel.
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.asarray(blurred, np.float32).reshape(image.shape)
