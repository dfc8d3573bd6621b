"""What every stage makes of one image, as pictures, down to the numbers and the answer."""

import base64
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from featx.models import class_scores, split
from featx.stream import Graph, learns
from featx.writing import OutputError, as_text, new_file

_CHANNELS = 8  # maps drawn of a stage, at most
_WRITTEN = 4  # numbers written out, at most
_NAMED = 24  # numbers drawn as bars with their names, at most


@dataclass
class Explanation:
    """What the stages of a recipe make of one image."""

    image: str
    #: Each stage as it is written, and what it gives for the image.
    outputs: list[tuple[str, NDArray[Any]]]
    #: The names of the entries of the last output, where that is a vector.
    names: list[str]
    #: The predicted class and a probability or score for each class, of a fitted model.
    prediction: str | None
    scores: dict[str, float]

    def __str__(self) -> str:
        vector = self.outputs[-1][1]
        if vector.ndim > 1:
            kind = "maps" if vector.ndim == 3 else "descriptors"
            said = f"{kind} of {' x '.join(map(str, vector.shape))}"
        elif len(vector) <= _WRITTEN:
            pairs = zip(self.names, vector, strict=True)
            said = ", ".join(f"{name} = {value:.4g}" for name, value in pairs)
        else:
            said = f"{len(vector)} numbers"
        return said if self.prediction is None else f"{said}, so {self.prediction}"

    def as_data(self) -> dict[str, Any]:
        """Give the numbers and the answer as plain data, for JSON."""
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
    """Compute what every stage makes of an image.

    Parameters
    ----------
    image : path or ndarray
        The image.
    pipeline : Pipeline
        A recipe or a fitted model. Of a recipe that is not fitted, the stages before the first
        that learns.
    """
    if _is_fitted(pipeline[0]) and any(map(learns, pipeline[0].stages)):
        stream, *steps = (step for _, step in pipeline.steps)
    else:
        stream, steps = split(pipeline)
        stream.fit([image])
    graph = Graph.of([stream.stages])
    values = graph.values([image])
    outputs = [
        (_written(node.stage), np.asarray(value[0]))
        for node, value in values.items()
        if node.inputs
    ]
    names = [str(name) for name in stream.get_feature_names_out()]
    prediction, scores = None, dict[str, float]()
    if steps and _is_fitted(steps[-1]):
        last = values[graph.outputs[0]]
        classifier = pipeline[1:]
        prediction = str(classifier.predict(last)[0])
        found = class_scores(classifier, last)[1][0]
        scores = dict(zip(map(str, classifier.classes_), map(float, found), strict=True))
    return Explanation(_name(image), outputs, names, prediction, scores)


def write_explanation(explanation: Explanation, file: str | Path) -> None:
    """Draw an explanation to a PNG picture, or to a page with the picture and all numbers."""
    if Path(file).suffix.lower() not in (".png", ".html"):
        raise OutputError(f"{file}: the name must end in .png or .html.")
    with new_file(file) as unfinished:
        picture = picture_of(explanation)
        if unfinished.suffix.lower() == ".png":
            unfinished.write_bytes(picture)
        else:
            unfinished.write_text(_page(explanation, picture), encoding="utf-8")


def _page(explanation: Explanation, picture: bytes) -> str:
    # Jinja2 is an extra, as matplotlib is.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("featx.report", "."), autoescape=True, undefined=StrictUndefined
    )
    uri = "data:image/png;base64," + base64.b64encode(picture).decode()
    data = explanation.as_data()
    template = environment.get_template("explanation.html.j2")
    return template.render(explanation=explanation, picture=uri, features=data["features"] or {})


def picture_of(explanation: Explanation, resolution: int = 100) -> bytes:
    """Draw a film strip of the stages as PNG; stages of several maps get a row each."""
    # The figure itself and not pyplot, which would look for a screen.
    from matplotlib.figure import Figure

    outputs = explanation.outputs
    most = max(_panels(value) for _, value in outputs)
    rows, columns = (1, len(outputs)) if most == 1 else (len(outputs), 1)
    wide = 3.0 * len(outputs) if most == 1 else max(1.9 * most, 6.0)
    high = 3.9 if most == 1 else 2.6 * len(outputs)
    figure = Figure(figsize=(wide, high), layout="constrained")
    title = f"{Path(explanation.image).name}: {explanation}"
    figure.suptitle("\n".join(wrap(title, int(11 * wide))), fontsize=11, parse_math=False)
    parts = figure.subfigures(rows, columns, squeeze=False).ravel()
    for part, (stage, value) in zip(parts, outputs, strict=True):
        name = "\n".join(wrap(stage, int(9.5 * wide / columns)))
        part.suptitle(name, fontsize=9, family="monospace", parse_math=False)
        if value.ndim == 3:
            _draw_maps(part, value)
        elif value.ndim == 2:
            _draw_descriptors(part.subplots(), value)
        elif len(value) <= _WRITTEN:
            pairs = zip(explanation.names, value, strict=True)
            text = "\n\n".join(f"{number:.4g}\n{name.replace('_', ' ')}" for name, number in pairs)
            lines = [line for given in text.splitlines() for line in wrap(given, 24) or [""]]
            part.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", fontsize=11)
        else:
            _draw_numbers(part.subplots(), value, explanation.names)
    file = BytesIO()
    with warnings.catch_warnings():
        # Letters of a file's name that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(file, format="png", dpi=resolution)
    return file.getvalue()


def _panels(value: NDArray[Any]) -> int:
    """Tell how many pictures show what a stage gives: colours are one, maps are one each."""
    if value.ndim < 3 or (value.shape[2] == 3 and _is_picture(value)):
        return 1
    return min(_CHANNELS, int(value.shape[2]))


def _draw_maps(figure: Any, maps: NDArray[Any]) -> None:
    """Draw pixels as they are, and responses with zero in the middle of the colours."""
    count = _panels(maps)
    axes = figure.subplots(1, count, squeeze=False)[0]
    largest = float(np.abs(maps).max()) or 1.0
    for axis, channel in zip(axes, np.moveaxis(maps, 2, 0), strict=False):
        axis.set_axis_off()
        if _is_picture(maps):
            axis.imshow(maps if maps.shape[2] == 3 else channel, cmap="gray")
        else:
            signed = maps.min() < 0
            least, colors = (-largest, "RdBu_r") if signed else (0, "magma")
            image = axis.imshow(channel, cmap=colors, vmin=least, vmax=largest)
    if not _is_picture(maps):
        bar = figure.colorbar(image, ax=list(axes), location="bottom", shrink=0.6, aspect=30)
        bar.ax.tick_params(labelsize=8)
    if maps.shape[2] > count > 1:
        axes[-1].set_title(f"and {maps.shape[2] - count} more", fontsize=8)


def _draw_descriptors(axis: Any, values: NDArray[Any]) -> None:
    axis.imshow(values, cmap="magma", aspect="auto", interpolation="nearest")
    axis.set_xlabel(f"{values.shape[1]} entries", fontsize=8)
    axis.set_ylabel(f"{values.shape[0]} descriptors", fontsize=8)
    axis.tick_params(labelsize=8)


def _draw_numbers(axis: Any, vector: NDArray[Any], names: list[str]) -> None:
    if len(vector) > _NAMED:
        # One shape: thousands of bars take seconds to draw.
        axis.stairs(vector, np.arange(len(vector) + 1) - 0.5, fill=True, color="#3b77b7")
        axis.set_xlabel(f"{len(vector)} numbers", fontsize=8)
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
    return "side by side" if stage is None else " ".join(str(stage).split())


def _name(image: Any) -> str:
    is_path = isinstance(image, str | bytes) or hasattr(image, "__fspath__")
    return as_text(image) if is_path else "the image"
