"""Fit a recipe on labelled images."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline

from featx.core.errors import ModelError, RefusedImage
from featx.jobs.incremental import fit_in_pieces
from featx.pipeline.fitting import check_classes, in_threads
from featx.pipeline.stream import Stream, run_together
from featx.store.stored_images import StoredFeatures, begin_with_store, put_back

#: Where a store has more bytes of vectors, a classifier that can be fitted piece by piece is.
_IN_MEMORY = 2**31


def train(
    pipeline: Pipeline,
    paths: Sequence[Any],
    labels: Sequence[str] | NDArray[Any],
    n_jobs: int | None = 1,
    progress: Callable[[int], object] = int,
) -> tuple[Pipeline, list[RefusedImage]]:
    """Fit a pipeline on the images that can be read, or on those of a store.

    A store's features are taken as they are. Where their vectors would need more than 2 GiB, a
    classifier that has ``partial_fit`` is fitted piece by piece.

    Returns
    -------
    Pipeline
        The fitted pipeline.
    list of RefusedImage
        The images that it has not seen.

    Raises
    ------
    ModelError
        If the images that can be read are not of two classes at least.
    """
    stream, *steps = (step for _, step in pipeline.steps)
    if not steps or not hasattr(steps[-1], "predict"):
        raise ModelError("The recipe has no classifier. End it with one, such as LinearSVC.")
    check_classes(labels)
    begun = begin_with_store(stream, paths)
    fitted = Stream(begun.stages, stream.chunk_size, n_jobs)
    try:
        fitted.fit_on_readable(paths)
    except RefusedImage as first:
        raise ModelError(f"All {len(paths)} images are refused. The first: {first}") from None
    if _is_too_large(fitted, paths) and hasattr(steps[-1], "partial_fit"):
        classifier = make_pipeline(*_fit_in_pieces(fitted, steps, paths, labels, progress))
        refused: list[RefusedImage] = []
    else:
        computed = run_together([fitted], paths, n_jobs, progress)
        kept, refused = np.asarray(labels)[computed.kept], computed.refused
        check_classes(kept)
        classifier = make_pipeline(*in_threads(steps, n_jobs)).fit(computed.outputs[0], kept)
    fitted.n_jobs = stream.n_jobs
    return Pipeline([("stream", put_back(fitted, stream)), *classifier.steps]), refused


def _is_too_large(stream: Stream, images: Sequence[Any]) -> bool:
    """Tell whether a store's images have more vectors than are to be in memory at once."""
    stored = isinstance(stream.stages[0], StoredFeatures)
    return stored and 4 * len(images) * len(stream.get_feature_names_out()) > _IN_MEMORY


def _fit_in_pieces(
    stream: Stream,
    steps: list[Any],
    images: Sequence[Any],
    labels: Sequence[str] | NDArray[Any],
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
    return fit_in_pieces(steps, vectors, np.asarray(labels), dimensions)
