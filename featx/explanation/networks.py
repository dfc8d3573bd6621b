"""Inspection of networks: filters, activations, occlusion, Grad-CAM and parameter counts.

All functions accept a fitted `ConvNet` or a `PretrainedNet`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featx.core.errors import InputError
from featx.core.suggestions import nearest
from featx.explanation import occlusion as hiding
from featx.networks.conv_net import ConvNet
from featx.networks.layers import UpToLayer
from featx.networks.pretrained_net import Backbone, PretrainedNet, load_backbone
from featx.networks.torch_support import seeded

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Net = ConvNet | PretrainedNet


def filters(net: Net) -> Float32:
    """Return the filters of the first convolution, (n, height, width, channels)."""
    weights = _convolutions(opened_network(net).network)[0].weight
    found: Float32 = weights.detach().permute(0, 2, 3, 1).numpy()
    return found


def edge_likeness(banks: NDArray[Any]) -> Float64:
    r"""Compute the similarity of each filter to an oriented edge.

    The mean of a filter is subtracted, and its channels are projected onto their first principal
    direction. The score is the largest absolute cosine similarity with the first derivative of a
    Gaussian, :math:`(x\cos\theta + y\sin\theta)\,e^{-(x^2+y^2)/2\sigma^2}`.

    The search covers 36 orientations, three widths and 9 centers in the middle third of the filter.
    The widths :math:`\sigma` are 1/6, 1/4 and 1/3 of the longer side of the filter.

    A perfect edge scores 1. Noise of 5 × 5 pixels scores about 0.5: compare the scores with those
    of an untrained network.

    Parameters
    ----------
    banks : ndarray of shape (n, height, width, channels)
        The filters.

    Returns
    -------
    ndarray of shape (n,)
        Scores in [0, 1].
    """
    n, height, width, channels = banks.shape
    flat = banks.reshape(n, height * width, channels).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    left, strengths, _ = np.linalg.svd(flat, full_matrices=False)
    strongest = left[:, :, 0] * (strengths[:, :1] > 0)
    scores: Float64 = np.abs(strongest @ _edges(height, width).T).max(axis=1)
    return scores


def _edges(height: int, width: int) -> Float64:
    """Return edges of all orientations, sizes and centers, with zero mean and unit norm."""
    y, x = np.mgrid[:height, :width].astype(float)
    found = []
    for row in np.linspace((height - 1) / 3, (height - 1) * 2 / 3, 3):
        for column in np.linspace((width - 1) / 3, (width - 1) * 2 / 3, 3):
            down, along = y - row, x - column
            for sigma in np.multiply(max(height, width), (1 / 6, 1 / 4, 1 / 3)):
                window = np.exp(-(down**2 + along**2) / (2 * sigma**2))
                found += [
                    (along * np.cos(angle) + down * np.sin(angle)) * window
                    for angle in np.radians(np.arange(0, 180, 5))
                ]
    edges: Float64 = np.reshape(found, (len(found), -1))
    edges -= edges.mean(axis=1, keepdims=True)
    edges /= np.linalg.norm(edges, axis=1, keepdims=True)
    return edges


def activations(net: Net, image: NDArray[Any]) -> dict[str, Float32]:
    """Compute the activations of all layers for an image, in the order of computation.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    image : ndarray of shape (height, width, channels)
        The image.

    Returns
    -------
    dict of str to ndarray
        Maps (height, width, channels) or vectors, by the names of the layers without sub-layers.
    """
    opened = opened_network(net)
    found = _to_be_found(_leaves(opened.network))
    with torch.inference_mode():
        opened.network(_as_input(net, opened, image))
    return found


def block_maps(net: Net, image: NDArray[Any]) -> dict[str, Float32]:
    """Compute the output maps of each convolution, or block of convolutions, for an image.

    Blocks summarize a deep network in a few steps. For a `PretrainedNet`, only blocks up to its
    output layer are included.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    image : ndarray of shape (height, width, channels)
        The image.

    Returns
    -------
    dict of str to ndarray
        Maps (height, width, channels), by the names of the convolutions and blocks.
    """
    opened = opened_network(net)
    found = _to_be_found(_blocks(opened.network))
    network = opened.network
    if isinstance(net, PretrainedNet):
        # The forward pass stops at this layer, after the hooks have stored the maps.
        network = UpToLayer(network, net.layer)
    with torch.inference_mode():
        network(_as_input(net, opened, image))
    return {name: value for name, value in found.items() if value.ndim == 3}


def _to_be_found(layers: Sequence[tuple[str, Any]]) -> dict[str, Float32]:
    """Return a dictionary that a forward pass fills with the outputs of layers."""
    found: dict[str, Float32] = {}

    def keep(name: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            found[name] = _as_maps(output)[0].detach().numpy()

        return hook

    for name, module in layers:
        module.register_forward_hook(keep(name))
    return found


def most_exciting(
    net: Net, images: Iterable[Any], layer: str, unit: int, count: int = 9
) -> NDArray[np.int64]:
    """Find the images with the largest activation of a unit; a map counts by its maximum.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    images : iterable of images
        The images; iterated once.
    layer : str
        The layer's name.
    unit : int
        Index of the unit, or of the channel if the layer outputs maps.
    count : int, default=9
        Number of images.

    Returns
    -------
    ndarray of int
        Indices of the images, by decreasing activation.
    """
    opened = opened_network(net)
    network = UpToLayer(opened.network, layer)
    excitements = []
    with torch.inference_mode():
        for image in images:
            found = of_unit(network(_as_input(net, opened, image)), layer, unit)
            excitements.append(float(found.max()))
    return np.argsort(-np.asarray(excitements), kind="stable")[:count]


def of_unit(output: Any, layer: str, unit: int) -> Any:
    """Return the activation of a unit, or its map, for the first image."""
    count = output.shape[1]
    if not 0 <= unit < count:
        raise InputError(f"Layer {layer} has units 0 to {count - 1}, got unit {unit}.")
    return output[0, unit]


def occlusion(net: Net, image: NDArray[Any], answer: int, side: int = 16, step: int = 8) -> Float32:
    """Compute the decrease of a class score when a square of the image is occluded.

    The square is filled with the mean color of the training images. See
    `featx.explanation.occlusion.occlusion` for other scores.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    image : ndarray of shape (height, width, channels)
        The image.
    answer : int
        Index of the score: for a `ConvNet`, of the class in ``classes_``.
    side : int, default=16
        Side of the square, in pixels.
    step : int, default=8
        Stride of the square, in pixels.

    Returns
    -------
    ndarray of float32, (height, width)
        For each pixel, the mean decrease over the squares that cover it; zero if none does.
    """
    opened = opened_network(net)

    def score(images: Sequence[Float32]) -> Float32:
        with torch.inference_mode():
            x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
            found: Float32 = opened.network(x)[:, answer].numpy()
        return found

    return hiding.occlusion(score, standardized(net, opened, image), side, step)


def grad_cam(
    net: Net, image: NDArray[Any], answer: int | NDArray[Any], layer: str | None = None
) -> Float32:
    r"""Compute the Grad-CAM map of a class score.

    For the maps :math:`A_k` of a layer and the score :math:`s`, the map is

    .. math::

        \max\Bigl(0, \sum_k \alpha_k A_k\Bigr), \qquad
        \alpha_k = \operatorname{mean}_{y,x} \frac{\partial s}{\partial A_k(y, x)},

    resized to the size of the image.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    image : ndarray of shape (height, width, channels)
        The image.
    answer : int or ndarray
        Index of the score: for a `ConvNet`, of the class in ``classes_``. Or one weight per output
        feature of the network: the score is then their weighted sum.
    layer : str, optional
        A layer that outputs maps. Defaults to the last convolution.

    Returns
    -------
    ndarray of float32, (height, width)
        The map, with values of at least zero.

    References
    ----------
    .. [1] R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
       Gradient-based Localization", ICCV 2017.
    """
    opened = opened_network(net)
    layers = {name: module for name, module in opened.network.named_modules() if name}
    if layer is None:
        chosen = _convolutions(opened.network)
    elif layer in layers:
        chosen = [layers[layer]]
    else:
        raise InputError(f"The network has no layer {layer!r}. {nearest(layer, [*layers])}")
    found: list[Any] = []
    for module in chosen:
        module.register_forward_hook(lambda module, inputs, output: found.append(output))
    x = _as_input(net, opened, image).requires_grad_()
    if isinstance(answer, np.ndarray):
        features = _as_maps(UpToLayer(opened.network, net.layer)(x)).flatten()
        score = features @ torch.from_numpy(answer.astype(np.float32))
    else:
        score = opened.network(x)[0, answer]
    maps = found[-1]
    (by_maps,) = torch.autograd.grad(score, maps)
    weights = by_maps.mean(dim=(2, 3), keepdim=True)
    heat = (weights * maps).sum(dim=1).clamp(min=0)[0].detach().numpy()
    resized: Float32 = cv2.resize(heat, x.shape[:1:-1], interpolation=cv2.INTER_LINEAR)
    return resized


@dataclass(frozen=True)
class LayerCount:
    """Number of parameters of a layer, and of an equivalent dense layer."""

    layer: str
    kind: str
    #: Output shape for one image, (channels, height, width) or (units,).
    shape: tuple[int, ...]
    parameters: int
    #: Weights of a dense layer with the same numbers of inputs and outputs.
    dense: int


def parameter_counts(net: Net, shape: Sequence[int] | None = None) -> list[LayerCount]:
    r"""Count the parameters of each layer that has any.

    A layer of :math:`n` filters of 5 × 5 pixels has :math:`25n` weights. A dense layer from
    28 × 28 pixels to :math:`n` maps of 24 × 24 pixels has :math:`451{,}584\,n`.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    shape : (int, int, int), optional
        Height, width and channels of the images. Defaults to those of the training images, or to
        224 × 224 × 3.

    Returns
    -------
    list of LayerCount
        One per layer, in the order of computation.
    """
    opened = opened_network(net)
    height, width, channels = shape or usual_shape(net)
    counts: list[LayerCount] = []

    def count(name: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            taken, given = tuple(inputs[0].shape[1:]), tuple(output.shape[1:])
            own = sum(parameter.numel() for parameter in module.parameters())
            dense = math.prod(taken) * math.prod(given)
            counts.append(LayerCount(name, type(module).__name__, given, own, dense))

        return hook

    for name, module in _leaves(opened.network):
        if any(True for _ in module.parameters()):
            module.register_forward_hook(count(name))
    with torch.inference_mode():
        opened.network(torch.zeros(1, channels, height, width))
    return counts


def opened_network(net: Net) -> Backbone:
    """Return a separate instance of a network, with mean and deviation of its input."""
    if isinstance(net, ConvNet):
        return Backbone(net.network(), net.mean_, net.deviation_)
    with seeded():
        found = load_backbone(net.backbone, net.weights, net.sha256)
    return found._replace(network=found.network.eval())


def usual_shape(net: Net) -> tuple[int, int, int]:
    """Return the shape of the training images, or 224 × 224 × 3 for pretrained networks."""
    height, width, channels = getattr(net, "input_shape_", (224, 224, 3))
    return height, width, channels


def standardized(net: Net, opened: Backbone, image: NDArray[Any]) -> Float32:
    """Check an image as the stage does, and standardize it, channels last."""
    pixels = net.check_items([image])[0]
    if pixels.shape[2] == 1 < len(opened.mean):
        pixels = np.repeat(pixels, len(opened.mean), axis=2)
    standardized: Float32 = (pixels - opened.mean) / opened.deviation
    return standardized


def _as_input(net: Net, opened: Backbone, image: NDArray[Any]) -> Any:
    pixels = standardized(net, opened, image)
    return torch.from_numpy(pixels).permute(2, 0, 1)[np.newaxis]


def _as_maps(output: Any) -> Any:
    return output.permute(0, 2, 3, 1) if output.ndim == 4 else output


def _leaves(network: Any) -> list[tuple[str, Any]]:
    return [(name, one) for name, one in network.named_modules() if not [*one.children()]]


def _blocks(network: Any, within: str = "") -> list[tuple[str, Any]]:
    """List convolutions and blocks that contain some; sequences of blocks are flattened."""
    found = []
    for name, part in network.named_children():
        if isinstance(part, nn.Sequential | nn.ModuleList):
            found += _blocks(part, f"{within}{name}.")
        elif any(isinstance(module, nn.Conv2d) for module in part.modules()):
            found.append((within + name, part))
    if len(found) == 1 and not isinstance(found[0][1], nn.Conv2d):
        # A wrapper around the whole network rather than a block.
        ((name, part),) = found
        return _blocks(part, f"{name}.")
    return found


def dense_layers(net: ConvNet) -> list[str]:
    """Return the names of the fully connected layers, in order."""
    modules = net.network().named_modules()
    return [name for name, module in modules if isinstance(module, nn.Linear)]


def _convolutions(network: Any) -> list[Any]:
    found = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if not found:
        raise InputError(
            "The network has no convolutional layer, so it has neither filters nor maps."
        )
    return found
