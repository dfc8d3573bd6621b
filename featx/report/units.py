"""Activation of network units: activation maximization, and the most activating images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from featx.core.errors import ModelError, RefusedImage
from featx.networks.conv_net import ConvNet
from featx.networks.pretrained_net import PretrainedNet
from featx.pipeline.graph import Graph
from featx.report.pictures import figure_png, pixels_of
from featx.report.text import name_of, shown

_SHOWN = 9  # maximum number of images per unit
_SIDE = 160  # side of the synthetic image for a pretrained network, in pixels


@dataclass
class Unit:
    """Images with a high activation of a network unit.

    Attributes
    ----------
    name : str
        Layer and number of the unit, and the class of an output unit.
    climbed : ndarray of float32 of shape (height, width, channels)
        Synthetic image by activation maximization.
    images : list of (str, ndarray)
        Names and network input of the images with the highest activation.
    refused : list of RefusedImage
        Images that could not be read.
    """

    name: str
    climbed: NDArray[np.float32]
    images: list[tuple[str, NDArray[Any]]]
    refused: list[RefusedImage] = field(default_factory=list)

    def __str__(self) -> str:
        names = ", ".join(name for name, _ in self.images)
        return f"{self.name}; highest activation: {names}" if names else self.name

    def as_data(self) -> dict[str, Any]:
        """Return the names of the unit and its images as JSON data."""
        return {"unit": self.name, "images": [name for name, _ in self.images]}


def look_for(pipeline: Pipeline, unit: str, among: Sequence[Any] = ()) -> Unit:
    """Find images with a high activation of a unit of the network in a recipe or a model.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted model with a `ConvNet` or a `PretrainedNet`, or a recipe with the latter.
    unit : str
        Layer and number of the unit as LAYER:NUMBER, such as "_fc:130".
    among : sequence of paths
        Candidate images. Those with the highest activation are selected.

    Raises
    ------
    ModelError
        If the pipeline has no network, the network is not fitted, or the unit does not exist.
    """
    # torch is an optional dependency.
    from featx.explanation.activation_maximization import maximize_activation
    from featx.explanation.networks import most_exciting

    stream = pipeline[0]
    net, graph = _network(pipeline)
    layer, _, number = unit.rpartition(":")
    if not layer or not number.isdecimal():
        raise ModelError(f"unit={unit!r} is not valid. Use LAYER:NUMBER, such as _fc:130.")
    refused: list[RefusedImage] = []
    taken: list[int] = []

    def images() -> Iterator[Any]:
        count = 0
        for chunk in graph.run(among, stream.chunk_size, stream.n_jobs):
            refused.extend(chunk.refused.values())
            taken.extend(count + place for place in chunk.kept)
            count += len(chunk.items)
            yield from chunk.outputs[0]

    try:
        size = None if isinstance(net, ConvNet) else (_SIDE, _SIDE)
        climbed = maximize_activation(net, layer, int(number), size)
        order = most_exciting(net, images(), layer, int(number), _SHOWN).tolist()
    except ValueError as error:
        raise ModelError(f"{unit}: {error}") from None
    chosen = [among[taken[place]] for place in order]
    pictures = graph.values(chosen)[graph.outputs[0]] if chosen else []
    named = [(name_of(one), picture) for one, picture in zip(chosen, pictures, strict=True)]
    return Unit(_title(net, layer, int(number)), climbed, named, refused)


def _network(pipeline: Pipeline) -> tuple[ConvNet | PretrainedNet, Graph]:
    """Return the network, and the graph of the stages before it."""
    graph = Graph.of([pipeline[0].stages])
    for node in graph.nodes:
        if isinstance(node.stage, ConvNet | PretrainedNet):
            return _trained(node.stage), Graph([node.inputs[0]])
    for _, step in pipeline.steps[1:2]:
        if isinstance(step, ConvNet):
            return _trained(step), graph
    raise ModelError("unit: the recipe has no network. Use one with a ConvNet or a PretrainedNet.")


def _trained(net: ConvNet | PretrainedNet) -> ConvNet | PretrainedNet:
    if isinstance(net, ConvNet) and not hasattr(net, "weights_"):
        raise ModelError(
            "ConvNet is not fitted. Train the recipe with featx train and use the model instead."
        )
    return net


def _title(net: ConvNet | PretrainedNet, layer: str, number: int) -> str:
    title = f"layer {layer}, unit {number}"
    if isinstance(net, ConvNet):
        # torch is an optional dependency.
        from featx.explanation.networks import dense_layers

        if layer in dense_layers(net)[-1:]:
            title += f": {net.classes_[number]}"
    return title


def picture_of_unit(unit: Unit) -> bytes:
    """Draw the synthetic image of a unit and the images with the highest activation as PNG."""
    # Figure instead of pyplot, which requires a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.9), layout="constrained")
    figure.suptitle(f"Activation of {unit.name}", fontsize=11, parse_math=False)
    made, found = figure.subfigures(1, 2, squeeze=False).ravel()
    axis = made.subplots()
    axis.imshow(_as_picture(unit.climbed))
    axis.set_title("activation maximization", fontsize=9)
    axis.set_axis_off()
    if unit.images:
        side = int(np.ceil(np.sqrt(len(unit.images))))
        axes = found.subplots(side, side, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, (name, picture) in zip(axes, unit.images, strict=False):
            axis.imshow(_as_picture(picture))
            axis.set_title(shown(Path(name).name), fontsize=6, parse_math=False)
    return figure_png(figure)


def _as_picture(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return pixels_of(pixels, pixels.shape[:2])
