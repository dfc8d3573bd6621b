"""Show what every stage computes for an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from featx.core.errors import InputError, RefusedImage
from featx.jobs.inputs import list_inputs, model_of, pipeline_of
from featx.jobs.progress import Progress, report_to
from featx.report.explanation import Explanation, write_explanation
from featx.report.explanation import explain as explain_image
from featx.report.requirements import require
from featx.report.units import Unit, look_for


@dataclass
class Explanations:
    """The outcome of `explain`; prints as a line per image and unit."""

    #: One per image: what each stage gives for it, and the prediction of a fitted model.
    images: list[Explanation]
    #: One per unit of a network: an image made for it, and those that excite it most.
    units: list[Unit]
    #: The picture or page, if it was written.
    out: str | Path | None = None

    @property
    def refused(self) -> list[RefusedImage]:
        """The images to choose from that were rejected."""
        return self.units[0].refused if self.units else []

    def __str__(self) -> str:
        where = "" if self.out is None else f"{self.out}: "
        return "\n".join(f"{where}{one}" for one in (*self.images, *self.units))

    def as_data(self) -> dict[str, Any]:
        """Return the numbers and predictions as plain data, for JSON."""
        data = [one.as_data() for one in self.images]
        result = data[0] if len(data) == 1 else {"images": data}
        if self.units:
            result["units"] = [one.as_data() for one in self.units]
        return result


def explain(
    images: Any,
    *,
    out: str | Path | None = None,
    recipe: Any = None,
    model: Pipeline | str | Path | None = None,
    unit: str | Sequence[str] = (),
    among: Any = None,
    trusted: Sequence[str] = (),
    progress: Progress = False,
) -> Explanations:
    """Show what every stage computes for an image, or for several below each other.

    Parameters
    ----------
    images : str, Path, ndarray, or sequence of paths or arrays
        An image file or an image of shape (height, width, channels), or several.
    out : str or Path, optional
        The picture or page to write: ``FILE.png`` or ``FILE.html``.
    recipe : str, Path or Pipeline, optional
        The name or file of a recipe, or a pipeline that begins with a `Stream`: its stages before
        the first that must be fitted are shown. A pipeline is copied, and stays as it is.
    model : Pipeline, str or Path, optional
        In place of a recipe, a fitted pipeline, such as the ``model`` that `train` returns, or its
        file: its predictions are shown, too, and what they rest on.
    unit : str or list of str, default=()
        Units of its network, as ``"LAYER:NUMBER"``: for each, an image is made that excites it.
    among : str, Path, or sequence of paths or arrays, optional
        Images among which those that excite the units most are found.
    trusted : list of str, default=()
        Types of your own that the model's file may hold, such as ``"mypackage.MyStage"``.
    progress : bool or callable, default=False
        True prints plain lines on standard error; a callable gets (done, refused), the numbers of
        images since its last call.

    Returns
    -------
    Explanations
        What each stage gives for each image, as arrays, and the predictions.

    Raises
    ------
    InputError
        If neither or both of ``recipe`` and ``model`` are given, or ``among`` without ``unit``.
    RefusedImage
        If an image cannot be read.
    RecipeError, ModelError
        If the recipe or model cannot be used, or it has no such unit.
    OutputError
        If the picture or page cannot be written.

    Examples
    --------
    >>> from featx import explain, make_scenes
    >>> scenes, _ = make_scenes(n=1, size=(64, 64))
    >>> (explanation,) = explain(scenes, recipe="vertical-lines").images
    >>> [stage.partition("(")[0] for stage, _ in explanation.outputs]
    ['ReadImages', 'Sobel', 'PatternMatch', 'Summarize']
    """
    if (recipe is None) == (model is None):
        raise InputError("explain: needs a recipe or a model. Give one of them.")
    units = [unit] if isinstance(unit, str) else [*unit]
    if among is not None and not units:
        raise InputError('explain: among needs a unit. Name one, such as unit="_fc:130".')
    if out is not None:
        require("jinja2", "matplotlib")
    pipeline = model_of(model, trusted) if recipe is None else pipeline_of(recipe)[1]
    paths = [] if among is None else list_inputs(among).paths
    several = _several(images)
    with report_to(progress) as report:
        report.expect(len(several))
        explained = []
        for image in several:
            explained.append(explain_image(image, pipeline))
            report(1)
        found = [look_for(pipeline, name, paths) for name in units]
    if out is not None:
        write_explanation(explained, out, found)
    return Explanations(explained, found, out)


def _several(images: Any) -> list[Any]:
    """Return images as a list, be it one or several."""
    one = isinstance(images, str | bytes) or hasattr(images, "__fspath__")
    if one or (isinstance(images, np.ndarray) and images.ndim <= 3):
        return [images]
    several = [*images]
    if not several:
        raise InputError("images: is empty. Give one image at least.")
    return several
