"""What is inside a network: its first filters beside those built by hand, its layers counted."""

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
_DRAWN = 32  # filters, at most
_IN_A_ROW = 8
_WEIGHED = 4096  # features, at most


@dataclass
class Network:
    """What can be said of a network without an image.

    Attributes
    ----------
    filters : ndarray of float32 of shape (n, height, width, channels), or None
        Those of the first layer that has any.
    counts : list of LayerCount
        The parameters of each layer.
    unused : str
        What of it the model leaves out, as a sentence.
    """

    filters: Float32 | None
    counts: "list[LayerCount]"
    unused: str = ""

    @property
    def parameters(self) -> int:
        """How many numbers the network has learned."""
        return sum(count.parameters for count in self.counts)


def look_inside(
    net: ConvNet | PretrainedNet, image: NDArray[Any]
) -> tuple[list[tuple[str, NDArray[Any]]], Network]:
    """Give the maps that a network's layers make of an image, and what it is made of."""
    # torch is an extra, as the libraries that draw are.
    from featx.explanation.networks import block_maps, filters, parameter_counts

    maps = [(f"layer {name}", value) for name, value in block_maps(net, image).items()]
    channels, unused = image.shape[2], ""
    if isinstance(net, PretrainedNet):
        channels = 3
        unused = "The last layer, which tells its own classes apart, is cut off."
        if net.layer is not None:
            unused = f"What comes after {net.layer} is cut off."
    counts = parameter_counts(net, (*image.shape[:2], channels))
    return maps, Network(filters(net) if maps else None, counts, unused)


def what_speaks_for(
    net: PretrainedNet, image: NDArray[Any], classifier: Any, answer: int
) -> Float32 | None:
    """Map what speaks for the answer of a classifier of a network's features: its Grad-CAM.

    A feature's weight is the slope of the score along it, by a difference.

    Returns
    -------
    ndarray of float32 of shape (height, width, 1), or None
        None if the classifier has no such score, or features are so many that it would take long.
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
    """Draw filters beside Gabor's and Sobel's as PNG, each with its likeness to an edge."""
    # The figure itself and not pyplot, which would look for a screen.
    from matplotlib.figure import Figure

    from featx.explanation.networks import edge_likeness

    scores = edge_likeness(banks)
    order = np.argsort(-scores, kind="stable")[:_DRAWN]
    noise = np.random.default_rng(0).normal(size=(200, *banks.shape[1:]))
    size = " x ".join(map(str, banks.shape[1:3]))
    more = f", the {_DRAWN} most like an edge" if len(banks) > _DRAWN else ""
    drawn = {
        f"learned: {len(banks)} filters of {size}{more}; on average {scores.mean():.2f}, "
        f"where noise has {edge_likeness(noise).mean():.2f}": banks[order],
        "built by hand: Gabor, odd and even, of two octaves and of one": _gabor_bank(),
        "built by hand: Sobel": _kernels(Sobel("both", padding="zero"), 3),
    }
    rows = [-(-len(bank) // _IN_A_ROW) for bank in drawn.values()]
    figure = Figure(figsize=(8, 1.0 * sum(rows) + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, height_ratios=rows)
    for axis, (title, bank) in zip(axes, drawn.items(), strict=True):
        _draw_bank(axis, bank, edge_likeness(bank), title)
    return figure_png(figure)


def _gabor_bank() -> Float32:
    """Give odd and even functions at eight orientations, of two octaves and of one."""
    return np.concatenate(
        [
            _kernels(GaborBank([frequency], 8, response, bandwidth, padding="zero"), 15)
            for frequency, bandwidth in ((0.1, 2.0), (0.18, 1.0))  # of one width
            for response in ("odd", "even")
        ]
    )


def _kernels(stage: Any, side: int) -> Float32:
    """Give the kernels of a stage of filters: what it makes of a single bright pixel, turned."""
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
    """Bring a filter to grey or colours between 0 and 1; of other channels, their mean is taken."""
    if kernel.shape[2] != 3:
        kernel = kernel.mean(axis=2)
    low, high = kernel.min(), kernel.max()
    return (kernel - low) / (high - low) if high > low else np.full_like(kernel, 0.5)
