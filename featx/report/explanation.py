"""Explanation of one image: the output of every stage, the features and the prediction."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from featx.core.errors import OutputError
from featx.evaluation.cross_validation import linear_weights
from featx.io.images import ReadImages
from featx.io.writing import new_file
from featx.networks.conv_net import ConvNet
from featx.networks.pretrained_net import PretrainedNet
from featx.pipeline.fitting import class_scores, split
from featx.pipeline.graph import Graph, Node, learns
from featx.pipeline.stream import Stream
from featx.report.drawings import drawing
from featx.report.hidden import Hidden, hide, picture_of_hidden
from featx.report.networks import Network, look_inside, picture_of_filters, what_speaks_for
from featx.report.pictures import figure_png
from featx.report.text import name_of, number_name, shown
from featx.report.units import Unit, picture_of_unit

_CHANNELS = 8  # maximum number of maps drawn per stage
_WRITTEN = 4  # maximum number of features shown as text
_NAMED = 24  # maximum number of features shown as bars with names
_LISTED = 10_000  # maximum number of features listed on the page


@dataclass
class Explanation:
    """Output of every stage of a recipe for one image, and the prediction."""

    image: str
    #: The repr of each stage, and its output for the image.
    outputs: list[tuple[str, NDArray[Any]]]
    #: Feature names of the last output, if it is a vector.
    names: list[str]
    #: For a fitted model: the predicted class, and the probability or score of each class.
    prediction: str | None
    scores: dict[str, float]
    #: Title and picture of outputs with a special visualization, by index.
    drawings: dict[int, tuple[str, NDArray[np.uint8]]] = field(default_factory=dict)
    #: Decision threshold of a linear model of a single feature.
    threshold: float | None = None
    #: Filters and parameter counts of the network, if the recipe has one.
    network: Network | None = None
    #: Occlusion map of the prediction. None for a single feature, which the last map explains.
    hidden: Hidden | None = None

    def __str__(self) -> str:
        vector = self.outputs[-1][1]
        if vector.ndim > 1:
            kind = "maps" if vector.ndim == 3 else "descriptors"
            said = f"{kind} of {' x '.join(map(str, vector.shape))}"
        elif len(vector) <= _WRITTEN:
            pairs = zip(self.names, vector, strict=True)
            said = ", ".join(f"{name} = {value:.4g}" for name, value in pairs)
        else:
            said = f"{len(vector)} features"
        return said if self.prediction is None else f"{said}; prediction: {self.prediction}"

    def as_data(self) -> dict[str, Any]:
        """Return the features and the prediction as JSON data."""
        vector = self.outputs[-1][1]
        return {
            "image": self.image,
            "stages": [stage for stage, _ in self.outputs],
            "features": dict(zip(self.names, map(float, vector), strict=True))
            if vector.ndim == 1
            else None,
            "prediction": self.prediction,
            "scores": self.scores,
        }


def explain(image: Any, pipeline: Pipeline) -> Explanation:
    """Compute the output of every stage for an image, and explain the prediction.

    The output of a `ConvNet` or a `PretrainedNet` includes the maps of its layers. If the network
    predicts, or a classifier uses only the features of a `PretrainedNet`, Grad-CAM is added. Models
    of pictures with more than one feature also have an occlusion map.

    Parameters
    ----------
    image : path or ndarray
        The image.
    pipeline : Pipeline
        A recipe or a fitted model. For an unfitted recipe, only the stages before the first
        trainable stage are computed.
    """
    stream, steps = _ready(image, pipeline)
    graph = Graph.of([stream.stages])
    values = graph.values([image])
    names = [str(name) for name in stream.get_feature_names_out()]
    explanation = Explanation(name_of(image), [], names, None, {})
    _add_stages(explanation, values)
    if steps and _is_fitted(steps[-1]):
        classifier, last = pipeline[1:], graph.outputs[0]
        answer = _add_prediction(explanation, classifier, values[last])
        if isinstance(stream.stages[0], ReadImages) and np.shape(values[last])[1:] != (1,):
            pixels = next(value[0] for node, value in values.items() if node.inputs)
            explanation.hidden = hide(pixels, stream.stages[1:], classifier, answer)
        if isinstance(steps[0], ConvNet):
            _add_network(explanation, steps[0], values[last][0], decides=len(steps) == 1)
        if isinstance(last.stage, PretrainedNet):
            heat = what_speaks_for(last.stage, values[last.inputs[0]][0], classifier, answer)
            if heat is not None:
                title = f"Grad-CAM of {explanation.prediction}"
                explanation.outputs.insert(-1, (title, heat))
    return explanation


def _ready(image: Any, pipeline: Pipeline) -> tuple[Stream, list[Any]]:
    """Return a stream of the stages that can be computed, and the steps after them."""
    if _is_fitted(pipeline[0]) and any(map(learns, pipeline[0].stages)):
        stream, *steps = (step for _, step in pipeline.steps)
    else:
        stream, steps = split(pipeline)
        # Clone: the caller's stages must not change.
        stream = clone(stream).fit([image])
    return stream, steps


def _add_stages(explanation: Explanation, values: dict[Node, Any]) -> None:
    """Add the output of each stage; the maps of a network's layers precede its output."""
    given = [(node, value[0]) for node, value in values.items() if node.inputs]
    arrays = (np.asarray(value) for _, value in given)
    pixels = next((value for value in arrays if value.ndim == 3 and _is_picture(value)), None)
    for place, (node, value) in enumerate(given):
        if isinstance(node.stage, ConvNet | PretrainedNet):
            maps, explanation.network = look_inside(node.stage, values[node.inputs[0]][0])
            explanation.outputs += maps
        names = explanation.names if place == len(given) - 1 else []
        drawn = drawing(node.stage, value, names, pixels)
        if drawn is not None:
            explanation.drawings[len(explanation.outputs)] = drawn
        explanation.outputs.append((_written(node.stage), np.asarray(value)))


def _add_prediction(explanation: Explanation, classifier: Pipeline, vectors: Any) -> int:
    """Add the prediction and the scores of the classes; return the index of the class."""
    (predicted,) = classifier.predict(vectors)
    scores = class_scores(classifier, vectors)[1][0]
    explanation.prediction = str(predicted)
    explanation.scores = dict(zip(map(str, classifier.classes_), map(float, scores), strict=True))
    explanation.threshold = _threshold(classifier)
    return [*classifier.classes_].index(predicted)


def _add_network(
    explanation: Explanation, net: ConvNet, image: NDArray[Any], decides: bool
) -> None:
    """Add the maps of a network's layers, and its scores if it classifies, else its features."""
    maps, explanation.network = look_inside(net, image)
    explanation.outputs += maps
    if decides:
        explanation.outputs += _answer(net, image, bool(maps))
        explanation.names = [*explanation.scores]
    else:
        explanation.outputs.append((_written(net), net.transform([image])[0]))
        explanation.names = [str(name) for name in net.get_feature_names_out()]


def _answer(net: ConvNet, image: NDArray[Any], has_maps: bool) -> list[tuple[str, NDArray[Any]]]:
    """Return the Grad-CAM of a network's prediction, if the network has maps, and its scores."""
    # torch is an optional dependency.
    from featx.explanation.networks import grad_cam

    scores = net.decision_function([image])[0]
    if not has_maps:
        return [("scores", scores)]
    answer = int(scores.argmax())
    heat = grad_cam(net, image, answer)[..., np.newaxis]
    return [(f"Grad-CAM of {net.classes_[answer]}", heat), ("scores", scores)]


def _threshold(classifier: Pipeline) -> float | None:
    """Return the decision threshold of a linear model of a single feature, else None."""
    found = linear_weights(classifier, len(classifier.classes_))
    if found is None or found[0].shape != (1, 1) or found[0][0, 0] == 0:
        return None
    return float(-found[1][0] / found[0][0, 0])


def write_explanation(
    explanation: Explanation | Sequence[Explanation],
    file: str | Path,
    units: Sequence[Unit] = (),
) -> None:
    """Write explanations as a PNG picture, or as an HTML page that also lists the features.

    Several explanations by the same recipe are drawn below each other. Each stage has one color
    scale for all images. The units of the network follow the explanations.
    """
    explanations = [explanation] if isinstance(explanation, Explanation) else [*explanation]
    if Path(file).suffix.lower() not in (".png", ".html"):
        raise OutputError(f"{file}: the name must end in .png or .html.")
    with new_file(file) as unfinished:
        scales = _scales(explanations)
        pictures = [picture_of(one, scales=scales) for one in explanations]
        rests = [_picture_of_rest(one) for one in explanations]
        excited = [picture_of_unit(unit) for unit in units]
        if unfinished.suffix.lower() == ".png":
            pairs = chain.from_iterable(zip(pictures, rests, strict=True))
            drawn = [picture for picture in (*pairs, *excited) if picture]
            unfinished.write_bytes(_below_each_other(drawn))
        else:
            page = _page(explanations, pictures, rests, excited)
            unfinished.write_text(page, encoding="utf-8")


def _picture_of_rest(explanation: Explanation) -> bytes:
    if explanation.hidden is None:
        return b""
    return picture_of_hidden(explanation.hidden, str(explanation.prediction))


def _scales(explanations: Sequence[Explanation]) -> list[float]:
    """Return the largest absolute value of each stage's output over all images."""
    outputs = [[value for _, value in one.outputs] for one in explanations]
    return [
        max((float(np.abs(value).max()) for value in values if value.size), default=0.0)
        for values in zip(*outputs, strict=True)
    ]


def _below_each_other(pictures: list[bytes]) -> bytes:
    if len(pictures) == 1:
        return pictures[0]
    strips = [Image.open(BytesIO(picture)).convert("RGB") for picture in pictures]
    size = max(strip.width for strip in strips), sum(strip.height for strip in strips)
    whole, top = Image.new("RGB", size, "white"), 0
    for strip in strips:
        whole.paste(strip, (0, top))
        top += strip.height
    file = BytesIO()
    whole.save(file, "png")
    return file.getvalue()


def _page(
    explanations: Sequence[Explanation],
    pictures: Sequence[bytes],
    rests: Sequence[bytes],
    units: Sequence[bytes],
) -> str:
    # Jinja2 is an optional dependency.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("featx.report", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"shown": shown, "number_name": number_name}
    network = explanations[0].network
    filters = None if network is None else network.filters
    return environment.get_template("explanation.html.j2").render(
        explanations=[
            (one, _embedded(picture), rest and _embedded(rest), one.as_data())
            for one, picture, rest in zip(explanations, pictures, rests, strict=True)
        ],
        listed=_LISTED,
        network=network,
        filters=None if filters is None else _embedded(picture_of_filters(filters)),
        units=[_embedded(unit) for unit in units],
    )


def _embedded(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def picture_of(
    explanation: Explanation, resolution: int = 100, scales: Sequence[float] | None = None
) -> bytes:
    """Draw the stages' output as PNG: in one row, or one row per stage if any has several maps."""
    # Figure instead of pyplot, which requires a display.
    from matplotlib.figure import Figure

    outputs = explanation.outputs
    scales = _scales([explanation]) if scales is None else scales
    most = max(_panels_of_stage(explanation, place) for place in range(len(outputs)))
    if most == 1:
        rows, columns, width, height = 1, len(outputs), 3.0 * len(outputs), 3.9
    else:
        rows, columns, width, height = len(outputs), 1, max(1.9 * most, 6.0), 2.6 * len(outputs)
    figure = Figure(figsize=(width, height), layout="constrained")
    title = f"{Path(explanation.image).name}: {explanation}"
    figure.suptitle("\n".join(wrap(title, int(11 * width))), fontsize=11, parse_math=False)
    parts = figure.subfigures(rows, columns, squeeze=False).ravel()
    for place, (part, scale) in enumerate(zip(parts, scales, strict=True)):
        name = "\n".join(wrap(_caption(explanation, place), int(9.5 * width / columns)))
        part.suptitle(name, fontsize=9, family="monospace", parse_math=False)
        _draw_output(part, explanation, place, scale)
    return figure_png(figure, resolution)


def _panels_of_stage(explanation: Explanation, place: int) -> int:
    """Return the number of panels of a stage: its maps, plus one for a special drawing."""
    value = explanation.outputs[place][1]
    return _panels(value) + (place in explanation.drawings and value.ndim == 3)


def _caption(explanation: Explanation, place: int) -> str:
    """Return the repr of a stage; the map before a single feature is named V."""
    stage, value = explanation.outputs[place]
    one_number = explanation.outputs[-1][1].shape == (1,)
    last_map = one_number and place == len(explanation.outputs) - 2 and value.ndim == 3
    return f"V = {stage}" if last_map else stage


def _draw_output(part: Any, explanation: Explanation, place: int, scale: float) -> None:
    """Draw the output of a stage: maps, a special drawing, descriptors, or features."""
    value, drawn = explanation.outputs[place][1], explanation.drawings.get(place)
    if value.ndim == 3:
        _draw_maps(part, value, scale, drawn)
    elif drawn is not None:
        _draw_picture(part.subplots(), *drawn)
    elif value.ndim == 2:
        _draw_descriptors(part.subplots(), value)
    elif len(value) <= _WRITTEN:
        text = _in_words(explanation, value)
        lines = [line for given in text.splitlines() for line in wrap(given, 24) or [""]]
        part.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", fontsize=11)
    else:
        _draw_numbers(part.subplots(), value, explanation.names)


def _in_words(explanation: Explanation, numbers: NDArray[Any]) -> str:
    """Write a few features as text; a single one with its threshold and the prediction."""
    if len(numbers) > 1:
        pairs = zip(explanation.names, numbers, strict=True)
        return "\n\n".join(f"{value:.4g}\n{name.replace('_', ' ')}" for name, value in pairs)
    (value,) = numbers
    text = f"{number_name(explanation.names[0])}\n= {value:.4g}"
    if explanation.threshold is not None:
        side = "above" if value > explanation.threshold else "below"
        text += f"\n\n{side} the threshold {explanation.threshold:.4g}"
    if explanation.prediction is None:
        return text
    return f"{text}\nprediction: {explanation.prediction}"


def _panels(value: NDArray[Any]) -> int:
    """Return the number of panels: one for a picture, one per map, up to a maximum."""
    if value.ndim < 3 or (value.shape[2] == 3 and _is_picture(value)):
        return 1
    return min(_CHANNELS, int(value.shape[2]))


def _draw_maps(
    figure: Any, maps: NDArray[Any], scale: float, drawn: tuple[str, NDArray[Any]] | None
) -> None:
    """Draw pixels unchanged, and signed maps with a diverging colormap centered at zero."""
    count = _panels(maps)
    if drawn is None:
        axis = figure.subplots()
    else:
        left, axis = figure.subplots(1, 2, width_ratios=[1, count])
        _draw_picture(left, *drawn)
    largest = scale or 1.0
    height, width = maps.shape[:2]
    axis.set_axis_off()
    # One axis for all maps: the layout of one axis per map takes seconds.
    for place, channel in enumerate(np.moveaxis(maps, 2, 0)[:count]):
        start = 1.1 * width * place - 0.5
        where = {"extent": (start, start + width, height - 0.5, -0.5)}
        if _is_picture(maps):
            axis.imshow(maps if maps.shape[2] == 3 else channel, cmap="gray", **where)
        else:
            signed = maps.min() < 0
            least, colors = (-largest, "RdBu_r") if signed else (0, "magma")
            image = axis.imshow(channel, cmap=colors, vmin=least, vmax=largest, **where)
    axis.set_xlim(-0.5, 1.1 * width * (count - 1) + width - 0.5)
    if not _is_picture(maps):
        bar = figure.colorbar(image, ax=axis, location="bottom", shrink=0.6, aspect=30)
        bar.ax.tick_params(labelsize=8)
    if maps.shape[2] > count > 1:
        axis.set_title(f"and {maps.shape[2] - count} more", fontsize=8, loc="right")


def _draw_picture(axis: Any, seen: str, picture: NDArray[Any]) -> None:
    axis.imshow(picture)
    axis.set_axis_off()
    axis.set_title(seen, fontsize=8)


def _draw_descriptors(axis: Any, values: NDArray[Any]) -> None:
    axis.imshow(values, cmap="magma", aspect="auto", interpolation="nearest")
    axis.set_xlabel(f"{values.shape[1]} entries", fontsize=8)
    axis.set_ylabel(f"{values.shape[0]} descriptors", fontsize=8)
    axis.tick_params(labelsize=8)


def _draw_numbers(axis: Any, vector: NDArray[Any], names: list[str]) -> None:
    if len(vector) > _NAMED:
        # A single patch: thousands of bars take seconds to draw.
        axis.stairs(vector, np.arange(len(vector) + 1) - 0.5, fill=True, color="#3b77b7")
        axis.set_xlabel(f"{len(vector)} features", fontsize=8)
        return
    bars = axis.barh(names, vector, color="#3b77b7")
    axis.bar_label(bars, fmt="%.4g", fontsize=8, padding=3)
    axis.margins(x=0.2)
    axis.invert_yaxis()
    axis.tick_params(labelsize=8)


def _is_picture(maps: NDArray[Any]) -> bool:
    return maps.dtype.kind == "u"


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _written(stage: Any) -> str:
    return "concatenation" if stage is None else " ".join(str(stage).split())
