"""Batchwise computation of the activations of a network's layers."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from warnings import warn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featx.core.errors import InputError
from featx.core.suggestions import nearest

Float32 = NDArray[np.float32]


class UpToLayer(nn.Module):
    """Network truncated after a layer, whose activations it returns.

    Parameters
    ----------
    network : torch.nn.Module
        Network. It is modified, and cannot be used otherwise afterwards.
    layer : str or None
        Name of the layer in `torch.nn.Module.named_modules`; None for the input of the last dense
        layer.
    """

    def __init__(self, network: Any, layer: str | None) -> None:
        super().__init__()
        self.network = network
        layers = {name: module for name, module in network.named_modules() if name}
        if layer is None:
            dense = [module for module in layers.values() if isinstance(module, nn.Linear)]
            if not dense:
                raise InputError(
                    f"The network has no dense layer. Set layer to one of {[*layers]}."
                )
            dense[-1].register_forward_pre_hook(lambda module, inputs: _reach(inputs[0]))
        elif layer in layers:
            layers[layer].register_forward_hook(lambda module, inputs, output: _reach(output))
        else:
            raise InputError(f"The network has no layer {layer!r}. {nearest(layer, [*layers])}")

    def forward(self, x: Any) -> Any:
        """Compute the activations of the layer."""
        try:
            self.network(x)
        except _ReachedError as reached:
            return reached.activations
        raise InputError("The network does not use this layer. Set layer to another one.")


class _ReachedError(Exception):
    """Exception that carries the activations out of a network shared by threads."""

    def __init__(self, activations: Any) -> None:
        self.activations = activations


def _reach(activations: Any) -> None:
    raise _ReachedError(activations)


def run(network: Any, batch: Float32, device: str) -> Float32:
    """Compute a network's output for images (n, height, width, channels), one row per image.

    Maps are flattened pixel by pixel, with the channels last. If the device runs out of memory,
    the batch is halved.
    """
    try:
        with torch.inference_mode(), _full_precision(device):
            output = network(torch.from_numpy(batch).to(device).permute(0, 3, 1, 2))
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise
        half = len(batch) // 2
        warn(f"{device}: out of memory. Continuing with batches of {half} images.", stacklevel=2)
        return np.concatenate(
            [run(network, batch[:half], device), run(network, batch[half:], device)]
        )
    if output.ndim == 4:
        output = output.permute(0, 2, 3, 1)
    return np.ascontiguousarray(output.flatten(1).float().cpu().numpy())


_PRECISION = Lock()


@contextmanager
def _full_precision(device: str) -> Iterator[None]:
    """Disable TF32 in a GPU's convolutions, so that they match the processor's values.

    TF32 rounds inputs to ten bits. The setting is global, so a lock protects it from other threads.
    """
    if device == "cuda":
        with _PRECISION, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    else:
        yield


def batches_of_one_size(images: Iterable[Float32], batch_size: int) -> Iterator[Float32]:
    """Group consecutive images of the same size into batches."""
    waiting: list[Float32] = []
    for image in images:
        if waiting and (len(waiting) == batch_size or image.shape != waiting[0].shape):
            yield np.stack(waiting)
            waiting = []
        waiting.append(image)
    if waiting:
        yield np.stack(waiting)
