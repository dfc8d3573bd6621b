"""Training of a recipe on labeled images."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline

from featx.core.errors import ModelError, RecipeError, RefusedImage
from featx.datasets.loading import class_counts
from featx.io.writing import new_file, refused_as_data
from featx.jobs.incremental import fit_in_pieces
from featx.jobs.inputs import Labels, labelled_inputs, pipeline_of
from featx.jobs.model_files import save_model
from featx.jobs.progress import Progress, Report, report_to
from featx.pipeline.fitting import check_classes, in_threads
from featx.pipeline.stream import Stream, run_together
from featx.store.stored_images import StoredFeatures, begin_with_store, put_back

#: Bytes of a store's vectors above which a classifier with ``partial_fit`` is fitted out of core.
_IN_MEMORY = 2**31


@dataclass
class Training:
    """Result of `train`. It prints as one line."""

    #: The fitted pipeline.
    model: Pipeline
    #: The class of each training image.
    labels: NDArray[Any]
    #: The rejected images, which were not used.
    refused: list[RefusedImage]
    #: The written model file, if any.
    out: str | Path | None = None

    def __str__(self) -> str:
        line = f"fitted on {len(self.labels)} images ({class_counts(self.labels)})"
        return line if self.out is None else f"{self.out}: {line}"

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data, for JSON."""
        return {
            "out": None if self.out is None else str(self.out),
            "images": len(self.labels),
            "classes": [str(name) for name in self.model.classes_],
            "refused": refused_as_data(self.refused),
        }


def train(
    images: Any,
    *,
    y: Any = None,
    recipe: Any,
    out: str | Path | None = None,
    checkpoint: str | Path | None = None,
    labels: Labels = (),
    n_jobs: int | None = 1,
    progress: Progress = False,
) -> Training:
    """Fit a recipe on labeled images, or on a store of their features.

    Unreadable images are left out. If the vectors of a store need more than 2 GiB, a classifier
    with ``partial_fit`` is fitted incrementally.

    Parameters
    ----------
    images : str, Path, or sequence of paths or arrays
        A folder, whose subfolders are the classes; a glob; a CSV or Parquet manifest; an archive;
        a URL; a folder written by `extract`; or a sequence of images.
    y : array-like of shape (n,), optional
        The classes, if ``images`` is a sequence.
    recipe : str, Path or Pipeline
        The name or file of a recipe, or a pipeline that begins with a `Stream`. A pipeline is
        copied, not modified.
    out : str or Path, optional
        The file to write the model to: ``MODEL.skops``.
    checkpoint : str or Path, optional
        File to save the training of a network to, and to resume it from.
    labels : dict or list of str, default=()
        Classes to merge and select: ``{"city": ["street", "tower"]}``, or
        ``["city=street,tower"]``.
    n_jobs : int, default=1
        Number of threads; -1 for one per processor.
    progress : bool or callable, default=False
        True prints plain lines on standard error. A callable receives (done, refused): the numbers
        of finished and of rejected images since its last call.

    Returns
    -------
    Training
        The fitted pipeline, as ``model``, and the rejected images.

    Raises
    ------
    DatasetError, InputError
        If the images cannot be found, or have no classes.
    RecipeError
        If the recipe cannot be read, or a checkpoint is passed and it has no network.
    ModelError
        If the recipe has no classifier, the readable images have fewer than two classes, or the
        model cannot be written.

    Examples
    --------
    >>> from featx import make_scenes, train
    >>> scenes, classes = make_scenes(n=20, size=(64, 64))
    >>> training = train(scenes, y=classes, recipe="vertical-lines")
    >>> print(training)
    fitted on 20 images (city 10, landscape 10)
    >>> training.model.predict(scenes[:3]).shape
    (3,)
    """
    found = labelled_inputs(images, y, labels)
    _, pipeline = pipeline_of(recipe)
    report = report_to(progress)
    if "convnet" in pipeline.named_steps:
        if report.verbose:
            pipeline.set_params(convnet__verbose=True)
        if checkpoint is not None:
            pipeline.set_params(convnet__checkpoint=checkpoint)
    elif checkpoint is not None:
        where = recipe if isinstance(recipe, str | Path) else "recipe"
        raise RecipeError(f"{where}: has no network to train. Leave out the checkpoint.")
    with nullcontext() if out is None else new_file(out) as file:
        with report:
            model, seen, refused = _fit(pipeline, found.paths, found.labels, n_jobs, report)
        if file is not None:
            save_model(model, file)
    return Training(model, seen, refused, out)


def _fit(
    pipeline: Pipeline,
    images: Sequence[Any],
    labels: NDArray[Any],
    n_jobs: int | None,
    report: Report,
) -> tuple[Pipeline, NDArray[Any], list[RefusedImage]]:
    """Fit a pipeline; return it, the classes of its training images, and the rejected images."""
    stream, *steps = (step for _, step in pipeline.steps)
    if not steps or not hasattr(steps[-1], "predict"):
        raise ModelError("recipe: has no classifier. End it with one, such as LinearSVC.")
    check_classes(labels)
    begun = begin_with_store(stream, images)
    fitted = Stream(begun.stages, stream.chunk_size, n_jobs)
    report.begin("Fitting image stages")
    try:
        fitted.fit_on_readable(images)
    except RefusedImage as first:
        raise ModelError(f"All {len(images)} images were rejected. The first: {first}") from None
    report.begin("Features", len(images))
    if _is_too_large(fitted, images) and hasattr(steps[-1], "partial_fit"):
        classifier = make_pipeline(*_fit_in_pieces(fitted, steps, images, labels, report))
        seen, refused = labels, list[RefusedImage]()
    else:
        computed = run_together([fitted], images, n_jobs, report)
        seen, refused = labels[computed.kept], computed.refused
        check_classes(seen)
        report.begin(f"Fitting {type(steps[-1]).__name__}")
        classifier = make_pipeline(*in_threads(steps, n_jobs)).fit(computed.outputs[0], seen)
    fitted.n_jobs = stream.n_jobs
    model = Pipeline([("stream", put_back(fitted, stream)), *classifier.steps])
    return model, seen, refused


def _is_too_large(stream: Stream, images: Sequence[Any]) -> bool:
    """Return whether the vectors of a store exceed the limit for one array."""
    stored = isinstance(stream.stages[0], StoredFeatures)
    return stored and 4 * len(images) * len(stream.get_feature_names_out()) > _IN_MEMORY


def _fit_in_pieces(
    stream: Stream,
    steps: list[Any],
    images: Sequence[Any],
    labels: NDArray[Any],
    progress: Callable[[int], object],
) -> list[Any]:
    left = len(images)

    def vectors(positions: NDArray[np.int64]) -> Any:
        nonlocal left
        result = stream.transform([images[position] for position in positions])
        progress(min(left, len(positions)))
        left -= min(left, len(positions))
        return result

    dimensions = len(stream.get_feature_names_out())
    return fit_in_pieces(steps, vectors, labels, dimensions)
