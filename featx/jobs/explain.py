"""Explanation of images: the output of each stage, and attributions of a model."""

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
from featx.report.units import Unit, look_for


@dataclass
class Explanations:
    """Result of `explain`. It prints one line per image and unit."""

    #: One per image: the output of each stage, and the prediction of a fitted model.
    images: list[Explanation]
    #: One per unit of a network: a generated image, and the images that excite it most.
    units: list[Unit]
    #: The written picture or page, if any.
    out: str | Path | None = None

    @property
    def refused(self) -> list[RefusedImage]:
        """The rejected images of ``among``."""
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
    """Show the output of each stage for one or more images.

    Parameters
    ----------
    images : str, Path, ndarray, or sequence of paths or arrays
        An image file, an array of shape (height, width, channels), or a sequence of them.
    out : str or Path, optional
        The picture or page to write: ``FILE.png`` or ``FILE.html``.
    recipe : str, Path or Pipeline, optional
        The name or file of a recipe, or a pipeline that begins with a `Stream`. Its stages before
        the first trainable one are shown. A pipeline is copied, not modified.
    model : Pipeline, str or Path, optional
        A fitted pipeline instead of a recipe, such as the ``model`` that `train` returns, or its
        file. Its predictions and their attributions are shown too.
    unit : str or list of str, default=()
        Units of a network, as ``"LAYER:NUMBER"``. An image that excites each is generated.
    among : str, Path, or sequence of paths or arrays, optional
        Images to search for those that excite the units most.
    trusted : list of str, default=()
        Names of your own classes that the model file may contain, such as
        ``"mypackage.MyStage"``.
    progress : bool or callable, default=False
        True prints plain lines on standard error. A callable receives (done, refused): the numbers
        of finished and of rejected images since its last call.

    Returns
    -------
    Explanations
        The output of each stage for each image, as arrays, and the predictions.

    Raises
    ------
    InputError
        If neither or both of ``recipe`` and ``model`` are passed, or ``among`` without ``unit``.
    RefusedImage
        If an image cannot be read.
    RecipeError, ModelError
        If the recipe or model cannot be used, or does not have the unit.
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
        raise InputError("explain: needs either a recipe or a model. Pass one of them.")
    units = [unit] if isinstance(unit, str) else [*unit]
    if among is not None and not units:
        raise InputError('explain: among needs a unit. Pass one, such as unit="_fc:130".')
    pipeline = model_of(model, trusted) if recipe is None else pipeline_of(recipe)[1]
    paths = [] if among is None else list_inputs(among).paths
    several = _several(images)
    with report_to(progress) as report:
        report.begin("Explaining", len(several))
        explained = []
        for image in several:
            explained.append(explain_image(image, pipeline))
            report(1)
        found = [look_for(pipeline, name, paths) for name in units]
    if out is not None:
        write_explanation(explained, out, found)
    return Explanations(explained, found, out)


def _several(images: Any) -> list[Any]:
    """Return one image, or a sequence of them, as a list."""
    one = isinstance(images, str | bytes) or hasattr(images, "__fspath__")
    if one or (isinstance(images, np.ndarray) and images.ndim <= 3):
        return [images]
    several = [*images]
    if not several:
        raise InputError("images: is empty. Pass at least one image.")
    return several
