"""What a unit of a network looks for: an image made for it, and those that excite it most."""

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

_SHOWN = 9  # images that excite a unit, at most
_SIDE = 160  # of the image made for a unit of a pretrained network, in pixels


@dataclass
class Unit:
    """What excites a unit of a network.

    Attributes
    ----------
    name : str
        Its layer and its number, and the class that it stands for.
    climbed : ndarray of float32 of shape (height, width, channels)
        An image that was made for it, by activation maximisation.
    images : list of (str, ndarray)
        The names of the images that excite it most, and what the network takes of them.
    refused : list of RefusedImage
        Those that could not be read.
    """

    name: str
    climbed: NDArray[np.float32]
    images: list[tuple[str, NDArray[Any]]]
    refused: list[RefusedImage] = field(default_factory=list)

    def __str__(self) -> str:
        names = ", ".join(name for name, _ in self.images)
        return f"{self.name}, excited most by {names}" if names else self.name

    def as_data(self) -> dict[str, Any]:
        """Give what was found as plain data, for JSON."""
        return {"unit": self.name, "images": [name for name, _ in self.images]}


def look_for(pipeline: Pipeline, unit: str, among: Sequence[Any] = ()) -> Unit:
    """Find what excites a unit of the network in a recipe or a model.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted model with a `ConvNet` or a `PretrainedNet`, or a recipe with the latter.
    unit : str
        LAYER:NUMBER, as in "_fc:130".
    among : sequence of paths
        The images of which those that excite it most are wanted.

    Raises
    ------
    ModelError
        If there is no network, or no such unit in it.
    """
    # torch is an extra, as the libraries that draw are.
    from featx.explanation.activation_maximization import maximize_activation
    from featx.explanation.networks import most_exciting

    stream = pipeline[0]
    net, graph = _network(pipeline)
    layer, _, number = unit.rpartition(":")
    if not layer or not number.isdecimal():
        raise ModelError(f"{unit!r} is no unit of a network. Write LAYER:NUMBER, such as _fc:130.")
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
    """Find the network, and what makes of an image what it takes."""
    graph = Graph.of([pipeline[0].stages])
    for node in graph.nodes:
        if isinstance(node.stage, ConvNet | PretrainedNet):
            return _trained(node.stage), Graph([node.inputs[0]])
    for _, step in pipeline.steps[1:2]:
        if isinstance(step, ConvNet):
            return _trained(step), graph
    raise ModelError("There is no ConvNet and no PretrainedNet in it, and so there are no units.")


def _trained(net: ConvNet | PretrainedNet) -> ConvNet | PretrainedNet:
    if isinstance(net, ConvNet) and not hasattr(net, "weights_"):
        raise ModelError(
            "The network has learned nothing yet. Train it first, with featx train, and give the "
            "model."
        )
    return net


def _title(net: ConvNet | PretrainedNet, layer: str, number: int) -> str:
    title = f"layer {layer}, unit {number}"
    if isinstance(net, ConvNet):
        # torch is an extra.
        from featx.explanation.networks import dense_layers

        if layer in dense_layers(net)[-1:]:
            title += f": {net.classes_[number]}"
    return title


def picture_of_unit(unit: Unit) -> bytes:
    """Draw the image that was made for a unit, and those that excite it most, as PNG."""
    # The figure itself and not pyplot, which would look for a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.9), layout="constrained")
    figure.suptitle(f"What excites {unit.name}", fontsize=11, parse_math=False)
    made, found = figure.subfigures(1, 2, squeeze=False).ravel()
    axis = made.subplots()
    axis.imshow(_as_picture(unit.climbed))
    axis.set_title("made for it", fontsize=9)
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
