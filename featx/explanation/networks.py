"""Looking into networks: what their filters are, what excites a unit, what an answer rests on.

All of it works on a fitted `ConvNet` and on a `PretrainedNet`.
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
    """Give the filters of the first layer that has any, (n, height, width, channels)."""
    weights = _convolutions(opened_network(net).network)[0].weight
    found: Float32 = weights.detach().permute(0, 2, 3, 1).numpy()
    return found


def edge_likeness(banks: NDArray[Any]) -> Float64:
    r"""Score how much each filter looks like the edge of some orientation.

    A filter with several channels is taken in the mixture of colours in which it is strongest;
    its mean is subtracted. The score is its largest cosine, in magnitude, with a first derivative
    of a Gaussian, :math:`(x\cos\theta + y\sin\theta)\,e^{-(x^2+y^2)/2\sigma^2}`, of any of 36
    orientations, of :math:`\sigma` a sixth, a quarter or a third of the filter's side, and of its
    centre anywhere in the filter's middle. It is 1 for a perfect edge; noise of 5 × 5 pixels gets
    about a half, so that scores are to be held against those of a network that has not learned.

    Parameters
    ----------
    banks : ndarray of shape (n, height, width, channels)
        The filters.

    Returns
    -------
    ndarray of shape (n,)
    """
    n, height, width, channels = banks.shape
    flat = banks.reshape(n, height * width, channels).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    left, strengths, _ = np.linalg.svd(flat, full_matrices=False)
    strongest = left[:, :, 0] * (strengths[:, :1] > 0)
    scores: Float64 = np.abs(strongest @ _edges(height, width).T).max(axis=1)
    return scores


def _edges(height: int, width: int) -> Float64:
    """Make edges of all orientations, sizes and places, each of mean zero and length one."""
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
    """Compute what each layer makes of an image, in the order in which they are computed.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    image : ndarray of shape (height, width, channels)
        The image.

    Returns
    -------
    dict of str to ndarray
        Maps (height, width, channels) or vectors, by the names of layers that hold no others.
    """
    opened = opened_network(net)
    found = _to_be_found(_leaves(opened.network))
    with torch.inference_mode():
        opened.network(_as_input(net, opened, image))
    return found


def block_maps(net: Net, image: NDArray[Any]) -> dict[str, Float32]:
    """Compute the maps that each convolution, or block that holds some, makes of an image.

    They show a deep network in few steps. Of a `PretrainedNet`, there are those up to the layer
    whose activations it gives.

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
        # It leaves the network at this layer, after what is to be found has been taken down.
        network = UpToLayer(network, net.layer)
    with torch.inference_mode():
        network(_as_input(net, opened, image))
    return {name: value for name, value in found.items() if value.ndim == 3}


def _to_be_found(layers: Sequence[tuple[str, Any]]) -> dict[str, Float32]:
    """Give a dictionary that is filled with what layers give, once their network is computed."""
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
    """Find the images that excite a unit most; of a map, its largest value in the image counts.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    images : iterable of images
        The images; each is taken once.
    layer : str
        The layer's name.
    unit : int
        The unit's number, or the channel's, if the layer gives maps.
    count : int, default=9
        How many are wanted.

    Returns
    -------
    ndarray of int
        Positions among the images, the most exciting first.
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
    """Give a unit's activation, or its map, for the first image."""
    count = output.shape[1]
    if not 0 <= unit < count:
        raise InputError(f"Layer {layer} has the units 0 to {count - 1}, and no unit {unit}.")
    return output[0, unit]


def occlusion(net: Net, image: NDArray[Any], answer: int, side: int = 16, step: int = 8) -> Float32:
    """Map by how much the score of an answer falls where a square is hidden.

    The square has the mean colour of the images that the network learned from; see
    `featx.explanation.occlusion.occlusion`, which does the same for any score.

    Returns
    -------
    ndarray of float32, (height, width)
        For each pixel, the mean fall for the squares that hid it; zero where none did.
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
    r"""Map what speaks for an answer in the maps of a layer.

    With the maps :math:`A_k` of the layer and the score :math:`s` of the answer,

    .. math::

        \max\Bigl(0, \sum_k \alpha_k A_k\Bigr), \qquad
        \alpha_k = \operatorname{mean}_{y,x} \frac{\partial s}{\partial A_k(y, x)},

    brought to the size of the image.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    image : ndarray of shape (height, width, channels)
        The image.
    answer : int or ndarray
        The number of the score, which is that of the class in ``classes_``; or a weight for each
        of the features that the network gives, whose sum is the score.
    layer : str, optional
        A layer that gives maps; by default the last convolution.

    Returns
    -------
    ndarray of float32, (height, width)

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
    """How many numbers a layer has learned, beside what a dense layer would need."""

    layer: str
    kind: str
    #: What it gives for one image, (channels, height, width) or (units,).
    shape: tuple[int, ...]
    parameters: int
    #: Weights of a dense layer from all that it takes to all that it gives.
    dense: int


def parameter_counts(net: Net, shape: Sequence[int] | None = None) -> list[LayerCount]:
    r"""Count the parameters of each layer that has any, for images of this shape.

    A layer of :math:`n` filters of 5 × 5 pixels has :math:`25n` weights, where a dense layer that
    takes 28 × 28 pixels and gives :math:`n` maps of 24 × 24 has :math:`451{,}584\,n`.

    Parameters
    ----------
    net : ConvNet or PretrainedNet
        The network.
    shape : (int, int, int), optional
        Height, width and channels; by default those of the images of `fit`, or 224 × 224 × 3.
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
    """Give a network of one's own, and what images are standardized by."""
    if isinstance(net, ConvNet):
        return Backbone(net.network(), net.mean_, net.deviation_)
    with seeded():
        found = load_backbone(net.backbone, net.weights, net.sha256)
    return found._replace(network=found.network.eval())


def usual_shape(net: Net) -> tuple[int, int, int]:
    """Give the shape of the images of `fit`, or those that pretrained networks saw."""
    height, width, channels = getattr(net, "input_shape_", (224, 224, 3))
    return height, width, channels


def standardized(net: Net, opened: Backbone, image: NDArray[Any]) -> Float32:
    """Check an image as the stage does, and give it as the network takes it, channels last."""
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
    """Give the convolutions, and blocks that hold some; lists of these are opened."""
    found = []
    for name, part in network.named_children():
        if isinstance(part, nn.Sequential | nn.ModuleList):
            found += _blocks(part, f"{within}{name}.")
        elif any(isinstance(module, nn.Conv2d) for module in part.modules()):
            found.append((within + name, part))
    if len(found) == 1 and not isinstance(found[0][1], nn.Conv2d):
        # Not a block, but the network itself in something else.
        ((name, part),) = found
        return _blocks(part, f"{name}.")
    return found


def dense_layers(net: ConvNet) -> list[str]:
    """Return the names of the fully connected layers, in their order."""
    modules = net.network().named_modules()
    return [name for name, module in modules if isinstance(module, nn.Linear)]


def _convolutions(network: Any) -> list[Any]:
    found = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if not found:
        raise InputError("The network has no convolution, and so no filters and no maps.")
    return found
