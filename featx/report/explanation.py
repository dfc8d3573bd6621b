"""What every stage makes of one image, as pictures, down to the numbers and the answer."""

import base64
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from featx.models import class_scores, split
from featx.stream import Graph
from featx.writing import OutputError, as_text, new_file

_CHANNELS = 8  # maps drawn of a stage, at most
_NUMBERS = 24  # numbers written out, at most


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
            said = f"maps of {' x '.join(map(str, vector.shape))}"
        elif len(vector) <= 4:
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
    stream, steps = split(pipeline)
    stream.fit([image])
    graph = Graph.of([stream.stages])
    values = graph.values([image])
    outputs = [(_written(node.stage), value[0]) for node, value in values.items() if node.inputs]
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
        picture = _picture(explanation)
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


def _picture(explanation: Explanation) -> bytes:
    """Draw a row for each stage: its maps, or its numbers."""
    # The figure itself and not pyplot, which would look for a screen.
    from matplotlib.figure import Figure

    outputs = explanation.outputs
    columns = max(min(_CHANNELS, v.shape[2]) if v.ndim == 3 else 1 for _, v in outputs)
    if columns > 1:
        columns = max(columns, 3)
    figure = Figure(figsize=(max(2.4 * columns, 5.5), 2.6 * len(outputs)), layout="constrained")
    figure.suptitle(f"{Path(explanation.image).name}: {explanation}")
    rows = figure.subfigures(len(outputs), 1, squeeze=False)[:, 0]
    for row, (stage, value) in zip(rows, outputs, strict=True):
        row.suptitle(stage, x=0.01, ha="left", fontsize=10, family="monospace")
        if value.ndim == 3:
            axes = row.subplots(1, columns, squeeze=False)[0]
            for axis in axes:
                axis.set_axis_off()
            _draw_maps(row, axes, value)
        else:
            _draw_numbers(row.subplots(), value, explanation.names)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()


def _draw_maps(figure: Any, axes: Any, maps: NDArray[Any]) -> None:
    """Draw pixels as they are, and responses with zero in the middle of the colours."""
    if maps.shape[2] == 3 and _is_picture(maps):
        axes[0].imshow(maps)
        return
    largest = float(np.abs(maps).max()) or 1.0
    for axis, channel in zip(axes, np.moveaxis(maps, 2, 0), strict=False):
        if _is_picture(maps):
            image = axis.imshow(channel, cmap="gray")
        elif maps.min() < 0:
            image = axis.imshow(channel, cmap="RdBu_r", vmin=-largest, vmax=largest)
        else:
            image = axis.imshow(channel, cmap="magma", vmin=0, vmax=largest)
    if not _is_picture(maps):
        figure.colorbar(image, ax=list(axes), shrink=0.8)
    if maps.shape[2] > len(axes):
        axes[-1].set_title(f"and {maps.shape[2] - len(axes)} more", fontsize=8)


def _draw_numbers(axis: Any, vector: NDArray[Any], names: list[str]) -> None:
    if len(vector) > _NUMBERS:
        axis.bar(np.arange(len(vector)), vector, width=1, color="#3b77b7")
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
