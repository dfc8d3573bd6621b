"""Named network architectures, as torch modules.

A network maps images (n, channels, height, width) to scores (n, n_classes). Each is built by a
function of the channels, height and width of the images, the number of classes, and its own
parameters.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from featx.core.errors import InputError
from featx.core.suggestions import nearest
from featx.networks.pretrained_net import load_backbone


def build(
    architecture: str,
    shape: tuple[int, int, int],
    n_classes: int,
    parameters: Mapping[str, Any] | None = None,
) -> Any:
    """Build a network by its name, for images of shape (height, width, channels).

    Raises
    ------
    ValueError
        If the network has no such parameter, or does not support images of this shape.
    """
    made = ARCHITECTURES[architecture]
    height, width, channels = shape
    known = [*inspect.signature(made).parameters][4:]
    for name in parameters or {}:
        if name not in known:
            raise InputError(f"{architecture} has no parameter {name!r}. {nearest(name, known)}")
    return made(channels, height, width, n_classes, **(parameters or {}))


def two_layer(
    channels: int,
    height: int,
    width: int,
    n_classes: int,
    hidden: int = 100,
    activation: str = "relu",
    dropout: float = 0.0,
) -> nn.Sequential:
    """Build a network with one hidden layer: dense, activation, dropout, dense."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * height * width, hidden),
        _activation(activation),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_classes),
    )


class LeNet1989(nn.Module):
    r"""LeNet of 1989 for handwritten zip codes [1]_: 9,760 parameters, 64,660 connections.

    H1 has 12 maps of 8 × 8 units, with receptive fields of 5 × 5 pixels and a stride of 2. H2 has
    12 maps of 4 × 4 units, with receptive fields of 5 × 5 units in 8 of the maps of H1. H3 has 30
    units, connected to all of H2. The units of a map share their weights, but not their biases.
    Images are padded with -1.

    The paper does not specify the 8 maps. Here, the maps of H1 form three groups of four. Four maps
    of H2 use the first and second group, four the second and third, four the third and first.

    Parameters
    ----------
    n_classes : int
        Number of output units.
    dropout : float, default=0
        Dropout rate of H2 and H3. The paper uses no dropout.
    squash : bool, default=True
        Apply :math:`1.7159 \tanh(2v/3)` to the outputs. Use it with the squared error and targets
        of :math:`\pm 1`, but not with the cross-entropy.

    References
    ----------
    .. [1] Y. LeCun et al., "Backpropagation Applied to Handwritten Zip Code Recognition", Neural
       Computation 1, 1989.
    """

    def __init__(self, n_classes: int, dropout: float = 0.0, squash: bool = True) -> None:
        super().__init__()
        self.h1 = UnitBiasConvolution(1, 12, side=8)
        taken = [(first + place) % 12 for first in (0, 4, 8) for place in range(8)]
        self.register_buffer("maps_taken", torch.tensor(taken), persistent=False)
        self.h2 = UnitBiasConvolution(24, 12, side=4, groups=3)
        self.h3 = nn.Linear(192, 30)
        self.output = nn.Linear(30, n_classes)
        self.squashing = ScaledTanh()
        self.dropout = nn.Dropout(dropout)
        self.squash = squash
        for layer in (self.h1, self.h2, self.h3, self.output):
            bound = 2.4 / layer.weight[0].numel()
            nn.init.uniform_(layer.weight, -bound, bound)
        for linear in (self.h3, self.output):
            nn.init.zeros_(linear.bias)

    def forward(self, x: Any) -> Any:
        """Compute the scores of the classes."""
        x = self.squashing(self.h1(x))
        x = self.squashing(self.h2(x[:, self.maps_taken]))
        x = self.squashing(self.h3(self.dropout(x.flatten(1))))
        x = self.output(self.dropout(x))
        return self.squashing(x) if self.squash else x


class ScaledTanh(nn.Module):
    r"""Activation :math:`1.7159 \tanh(2v/3)`, with the values ±1 at ±1."""

    def forward(self, v: Any) -> Any:
        """Compute the activations."""
        return 1.7159 * torch.tanh(2 / 3 * v)


class UnitBiasConvolution(nn.Conv2d):
    """Convolution with 5 × 5 filters, a stride of 2, a padding of -1, and one bias per unit."""

    def __init__(self, before: int, after: int, side: int, groups: int = 1) -> None:
        super().__init__(before, after, 5, stride=2, groups=groups, bias=False)
        self.unit_bias = nn.Parameter(torch.zeros(after, side, side))

    def forward(self, x: Any) -> Any:
        """Compute the maps."""
        return super().forward(functional.pad(x, (2, 2, 2, 2), value=-1.0)) + self.unit_bias


def lenet_1989(
    channels: int,
    height: int,
    width: int,
    n_classes: int,
    dropout: float = 0.0,
    squash: bool = True,
) -> LeNet1989:
    """Build `LeNet1989`, for gray images of 16 × 16 pixels."""
    if (channels, height, width) != (1, 16, 16):
        raise InputError(
            f"lenet-1989: images must be 16 x 16 x 1, got {height} x {width} x {channels}. Use "
            "ReadImages(size=(16, 16), mode='gray')."
        )
    return LeNet1989(n_classes, dropout, squash)


def lenet_5(
    channels: int,
    height: int,
    width: int,
    n_classes: int,
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
    maps: tuple[int, int] = (6, 16),
) -> nn.Sequential:
    """Build LeNet-5 [1]_ from modern layers.

    It has two layers of 5 × 5 filters, each followed by max pooling, and dense layers of 120 and 84
    units. For 28 × 28 pixels and ten classes, it has 61,706 parameters. In the paper, each map uses
    some of the previous maps, pooling is a weighted mean, and the outputs are distances.

    .. [1] Y. LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.
    """
    side, other = ((length // 2 - 4) // 2 for length in (height, width))
    first, second = maps
    return nn.Sequential(
        nn.Conv2d(channels, first, 5, padding=2),
        *_normalised(first, batch_norm),
        _activation(activation),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5),
        *_normalised(second, batch_norm),
        _activation(activation),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(second * side * other, 120),
        _activation(activation),
        nn.Dropout(dropout),
        nn.Linear(120, 84),
        _activation(activation),
        nn.Linear(84, n_classes),
    )


def alexnet(
    channels: int, height: int, width: int, n_classes: int, dropout: float = 0.5
) -> nn.Sequential:
    """Build AlexNet [1]_: 60,965,224 parameters for color images and 1,000 classes.

    The parts that ran on two GPUs are groups of the convolutions. For images smaller than 63
    pixels, the first layer has 5 × 5 filters with stride 1 instead of 11 × 11 filters with stride
    4. Maps are pooled to 6 × 6 units before the dense layers, for any image size.

    .. [1] A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet Classification with Deep
       Convolutional Neural Networks", 2012.
    """
    small = min(height, width) < 63
    kernel, stride = (5, 1) if small else (11, 4)
    contrast = {"size": 5, "alpha": 5e-4, "beta": 0.75, "k": 2.0}
    return nn.Sequential(
        nn.Conv2d(channels, 96, kernel, stride, padding=2),
        nn.ReLU(),
        nn.LocalResponseNorm(**contrast),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(),
        nn.LocalResponseNorm(**contrast),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.AdaptiveAvgPool2d(6),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(256 * 6 * 6, 4096),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Linear(4096, n_classes),
    )


class ResidualBlock(nn.Module):
    """Residual block: two layers of 3 × 3 filters with a shortcut connection."""

    def __init__(
        self, before: int, after: int, stride: int, batch_norm: bool, dropout: float, residual: bool
    ) -> None:
        super().__init__()
        self.residual, self.stride, self.more = residual, stride, after - before
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=not batch_norm),
            *_normalised(after, batch_norm),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(after, after, 3, padding=1, bias=not batch_norm),
            *_normalised(after, batch_norm),
        )

    def forward(self, x: Any) -> Any:
        """Compute the maps of the block."""
        y = self.layers(x)
        if self.residual:
            # A block that adds channels pads its shortcut with zeros.
            shortcut = x[:, :, :: self.stride, :: self.stride]
            y = y + functional.pad(shortcut, (0, 0, 0, 0, 0, self.more))
        return functional.relu(y)


def resnet_20(
    channels: int,
    height: int,
    width: int,
    n_classes: int,
    batch_norm: bool = True,
    dropout: float = 0.0,
    residual: bool = True,
    maps: int = 16,
) -> nn.Sequential:
    """Build ResNet-20 for small images [1]_: 269,722 parameters.

    It has a convolutional layer, nine residual blocks of two layers, global average pooling and a
    dense layer. The number of maps doubles where the resolution is halved. Batch norm, dropout
    within each block, and residual connections can be switched off to study their effect.

    .. [1] K. He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2.
    """
    blocks: list[nn.Module] = []
    before = maps
    for stage in range(3):
        for position in range(3):
            stride = 2 if stage > 0 and position == 0 else 1
            after = maps * 2**stage
            blocks.append(ResidualBlock(before, after, stride, batch_norm, dropout, residual))
            before = after
    network = nn.Sequential(
        nn.Conv2d(channels, maps, 3, padding=1, bias=not batch_norm),
        *_normalised(maps, batch_norm),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(before, n_classes),
    )
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return network


class Airbench(nn.Module):
    """Small network for fast training on CIFAR-10 [1]_.

    The first layer whitens patches of 2 × 2 pixels. Its filters are the principal components of
    the patches of the training images, divided by their standard deviations, and their negatives.
    They are computed by `begin_with` and not trained. Three blocks follow, each with two layers of
    3 × 3 filters, initialized to the identity, and max pooling after the first.

    .. [1] K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024.
    """

    def __init__(self, channels: int, n_classes: int, maps: tuple[int, int, int]) -> None:
        super().__init__()
        whitened = 2 * 4 * channels
        self.whitening = nn.Conv2d(channels, whitened, 2)
        self.whitening.weight.requires_grad = False
        layers: list[nn.Module] = []
        before = whitened
        for after in maps:
            for count, pool in ((before, [nn.MaxPool2d(2)]), (after, [])):
                layers += [nn.Conv2d(count, after, 3, padding=1, bias=False), *pool]
                layers += [nn.BatchNorm2d(after, momentum=0.4), nn.GELU()]
                nn.init.dirac_(_last_convolution(layers).weight[:count])
            before = after
        self.blocks = nn.Sequential(*layers)
        for layer in self.blocks:
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.requires_grad = False
        self.output = nn.Linear(before, n_classes, bias=False)

    def begin_with(self, images: Any) -> None:
        """Compute the filters of the first layer from images (n, channels, height, width)."""
        patches = functional.unfold(images, 2).transpose(1, 2).flatten(0, 1)
        patches = patches.double() - patches.double().mean(dim=0)
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / torch.sqrt(values + 5e-4)).T.flip(0)
        filters = filters.reshape(-1, *self.whitening.weight.shape[1:])
        with torch.no_grad():
            self.whitening.weight.copy_(torch.cat([filters, -filters]))
            self.whitening.bias.zero_()

    def forward(self, x: Any) -> Any:
        """Compute the scores of the classes."""
        x = self.blocks(functional.gelu(self.whitening(x)))
        return self.output(x.amax(dim=(2, 3))) / 9


def airbench(
    channels: int,
    height: int,
    width: int,
    n_classes: int,
    maps: tuple[int, int, int] = (64, 256, 256),
) -> Airbench:
    """Build `Airbench` with the given numbers of maps in its three blocks."""
    return Airbench(channels, n_classes, maps)


class FineTuned(nn.Module):
    """Pretrained network with a new last layer and, optionally, frozen first layers."""

    def __init__(self, network: Any, fixed: list[Any]) -> None:
        super().__init__()
        self.network = network
        self._fixed = fixed
        for part in fixed:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Any:
        """Set the training mode; frozen layers and their batch norm statistics do not change."""
        super().train(mode)
        for part in self._fixed:
            part.eval()
        return self

    def forward(self, x: Any) -> Any:
        """Compute the scores of the classes."""
        return self.network(x)


def efficientnet_lite0(
    channels: int,
    height: int,
    width: int,
    n_classes: int,
    trainable: str | int = "all",
) -> FineTuned:
    """Build EfficientNet-Lite0, pretrained on ImageNet, with a new last layer.

    ``trainable`` is ``"all"``, ``"last"`` for the new layer only, or a number up to 16. A number
    trains this many of the last blocks and the layers after them.
    """
    if channels != 3:
        raise InputError(f"efficientnet-lite0: images must have 3 channels, got {channels}.")
    whole = isinstance(trainable, int) and 0 <= trainable <= 16
    if trainable not in ("all", "last") and not whole:
        raise InputError(
            "efficientnet-lite0: trainable must be 'all', 'last' or a number of blocks up to 16, "
            f"got {trainable!r}."
        )
    network = load_backbone("efficientnet-lite0").network
    network._fc = nn.Linear(1280, n_classes)
    fixed: list[nn.Module] = []
    if trainable != "all":
        count = 0 if trainable == "last" else int(trainable)
        fixed = [network._conv_stem, network._bn0, *network._blocks[: 16 - count]]
    if trainable == "last":
        fixed += [network._conv_head, network._bn1]
    return FineTuned(network, fixed)


def _last_convolution(layers: list[nn.Module]) -> Any:
    return [layer for layer in layers if isinstance(layer, nn.Conv2d)][-1]


def _normalised(maps: int, batch_norm: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(maps)] if batch_norm else []


def _activation(name: str) -> nn.Module:
    made: dict[str, Callable[[], nn.Module]] = {
        "relu": nn.ReLU,
        "scaled_tanh": ScaledTanh,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
    }
    if name not in made:
        raise InputError(f"activation={name!r} is unknown. {nearest(str(name), [*made])}")
    return made[name]()


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "airbench": airbench,
    "alexnet": alexnet,
    "efficientnet-lite0": efficientnet_lite0,
    "lenet-1989": lenet_1989,
    "lenet-5": lenet_5,
    "resnet-20": resnet_20,
    "two-layer": two_layer,
}
