"""Network inspection: layer maps, filters of the first layer, parameter counts, Grad-CAM."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from featx.filters.edges import Sobel
from featx.filters.gabor import GaborBank
from featx.networks.conv_net import ConvNet
from featx.networks.pretrained_net import PretrainedNet
from featx.pipeline.fitting import decision_scores
from featx.report.pictures import figure_png

if TYPE_CHECKING:
    from featx.explanation.networks import LayerCount

Float32 = NDArray[np.float32]
_DRAWN = 32  # maximum number of filters drawn
_IN_A_ROW = 8  # filters per row
_WEIGHED = 4096  # maximum number of features of a numerical gradient


@dataclass
class Network:
    """Filters and parameter counts of a network.

    Attributes
    ----------
    filters : ndarray of float32 of shape (n, height, width, channels), or None
        Filters of the first convolutional layer.
    counts : list of LayerCount
        Number of parameters of each layer.
    unused : str
        A sentence on the layers that the model does not use; "" if it uses all.
    """

    filters: Float32 | None
    counts: "list[LayerCount]"
    unused: str = ""

    @property
    def parameters(self) -> int:
        """Total number of parameters."""
        return sum(count.parameters for count in self.counts)


def look_inside(
    net: ConvNet | PretrainedNet, image: NDArray[Any]
) -> tuple[list[tuple[str, NDArray[Any]]], Network]:
    """Return the maps of a network's layers for an image, its filters and parameter counts."""
    # torch is an optional dependency.
    from featx.explanation.networks import block_maps, filters, parameter_counts

    maps = [(f"layer {name}", value) for name, value in block_maps(net, image).items()]
    channels, unused = image.shape[2], ""
    if isinstance(net, PretrainedNet):
        channels = 3
        unused = "The classification layer is not used."
        if net.layer is not None:
            unused = f"The layers after {net.layer} are not used."
    counts = parameter_counts(net, (*image.shape[:2], channels))
    return maps, Network(filters(net) if maps else None, counts, unused)


def what_speaks_for(
    net: PretrainedNet, image: NDArray[Any], classifier: Any, answer: int
) -> Float32 | None:
    """Compute the Grad-CAM of a predicted class for a classifier of a network's features.

    The weight of a feature is the partial derivative of the score, by finite differences.

    Returns
    -------
    ndarray of float32 of shape (height, width, 1), or None
        None if the classifier has no decision scores, or the network has more than 4096 features.
    """
    from featx.explanation.networks import grad_cam

    (vector,) = net.transform([image])
    if len(vector) > _WEIGHED:
        return None
    step = 1e-3
    moved = vector + np.vstack([np.zeros(len(vector)), step * np.eye(len(vector))])
    scores = decision_scores(classifier, moved)
    if scores is None:
        return None
    weights = (scores[1:, answer] - scores[0, answer]) / step
    return grad_cam(net, image, weights)[..., np.newaxis]


def picture_of_filters(banks: Float32) -> bytes:
    """Draw learned, Gabor and Sobel filters as PNG, each with its edge similarity."""
    # Figure instead of pyplot, which requires a display.
    from matplotlib.figure import Figure

    from featx.explanation.networks import edge_likeness

    scores = edge_likeness(banks)
    order = np.argsort(-scores, kind="stable")[:_DRAWN]
    noise = np.random.default_rng(0).normal(size=(200, *banks.shape[1:]))
    size = " x ".join(map(str, banks.shape[1:3]))
    more = f", the {_DRAWN} most similar to an edge" if len(banks) > _DRAWN else ""
    drawn = {
        f"learned: {len(banks)} filters of {size}{more}; mean edge similarity {scores.mean():.2f}, "
        f"of noise {edge_likeness(noise).mean():.2f}": banks[order],
        "Gabor: odd and even, bandwidth of two octaves and of one": _gabor_bank(),
        "Sobel": _kernels(Sobel("both", padding="zero"), 3),
    }
    rows = [-(-len(bank) // _IN_A_ROW) for bank in drawn.values()]
    figure = Figure(figsize=(8, 1.0 * sum(rows) + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, height_ratios=rows)
    for axis, (title, bank) in zip(axes, drawn.items(), strict=True):
        _draw_bank(axis, bank, edge_likeness(bank), title)
    return figure_png(figure)


def _gabor_bank() -> Float32:
    """Return odd and even Gabor kernels at eight orientations, of two octaves and of one."""
    return np.concatenate(
        [
            _kernels(GaborBank([frequency], 8, response, bandwidth, padding="zero"), 15)
            for frequency, bandwidth in ((0.1, 2.0), (0.18, 1.0))  # equal envelope width
            for response in ("odd", "even")
        ]
    )


def _kernels(stage: Any, side: int) -> Float32:
    """Return the kernels of a filter stage: its impulse response, rotated by 180 degrees."""
    impulse = np.zeros((1, side, side, 1), np.float32)
    impulse[0, side // 2, side // 2] = 1
    kernels: Float32 = np.moveaxis(stage.fit_transform(impulse)[0, ::-1, ::-1], 2, 0)
    return kernels[..., np.newaxis]


def _draw_bank(axis: Any, bank: Float32, scores: NDArray[Any], title: str) -> None:
    for place, (kernel, score) in enumerate(zip(bank, scores, strict=True)):
        row, column = divmod(place, _IN_A_ROW)
        extent = column, column + 0.8, row + 0.8, row
        axis.imshow(_as_picture(kernel), cmap="gray", vmin=0, vmax=1, extent=extent)
        axis.text(column + 0.4, row + 0.97, f"{score:.2f}", ha="center", fontsize=8)
    axis.set(xlim=(0, _IN_A_ROW), ylim=(-(-len(bank) // _IN_A_ROW), 0))
    axis.set_axis_off()
    axis.set_title(title, fontsize=9, loc="left")


def _as_picture(kernel: Float32) -> Float32:
    """Scale a filter to [0, 1]; filters without three channels are averaged to gray."""
    if kernel.shape[2] != 3:
        kernel = kernel.mean(axis=2)
    low, high = kernel.min(), kernel.max()
    return (kernel - low) / (high - low) if high > low else np.full_like(kernel, 0.5)
