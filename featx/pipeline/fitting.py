"""Helpers to split pipelines, set their threads and compute their scores per class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from featx.classifiers.score_sum import ScoreSum
from featx.core.errors import ModelError
from featx.pipeline.graph import learns
from featx.pipeline.stream import Stream


def split(pipeline: Pipeline) -> tuple[Stream, list[Any]]:
    """Split a pipeline before its first trainable stage.

    Returns
    -------
    Stream
        The stateless stages before it. Their output for an image does not depend on other images.
    list of estimators
        The first trainable stage and all later steps.
    """
    stream, *steps = (step for _, step in pipeline.steps)
    if not isinstance(stream, Stream):
        raise ModelError(f"The first step of the pipeline must be a Stream, got {stream!r}.")
    stages = list(stream.stages)
    first = next((i for i, stage in enumerate(stages) if learns(stage)), len(stages))
    fixed = Stream(stages[:first], stream.chunk_size, stream.n_jobs)
    if first == len(stages):
        return fixed, steps
    return fixed, [Stream(stages[first:], stream.chunk_size, stream.n_jobs), *steps]


def in_threads(steps: Sequence[Any], n_jobs: int | None) -> list[Any]:
    """Set the number of threads of all steps that contain streams."""
    return [
        clone(step).set_params(n_jobs=n_jobs) if isinstance(step, Stream | ScoreSum) else step
        for step in steps
    ]


def check_classes(labels: Sequence[str] | NDArray[Any]) -> None:
    """Raise `ModelError` unless the labels have at least two classes."""
    classes = sorted(set(map(str, labels)))
    if len(classes) < 2:
        only = f"only {classes[0]!r}" if classes else "none"
        raise ModelError(
            f"A classifier requires images of at least two classes, got {only}. Put the images of "
            "each class into its own subfolder."
        )


def decision_scores(classifier: Pipeline, vectors: Any) -> NDArray[np.float64] | None:
    """Compute decision scores per class, or None if the classifier has none."""
    if not hasattr(classifier, "decision_function"):
        return None
    scores: NDArray[np.float64] = classifier.decision_function(vectors)
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    # One-vs-one classifiers return scores per pair of classes.
    return scores if scores.shape[1] == len(classifier.classes_) else None


def class_scores(classifier: Pipeline, vectors: Any) -> tuple[str, NDArray[np.float64]]:
    """Compute probabilities, else scores, per class in the order of ``classes_``.

    Returns
    -------
    str
        "probability" or "score".
    ndarray of shape (n, n_classes)
        The values. Without probabilities and scores, 1 for the predicted class and 0 elsewhere.
    """
    if hasattr(classifier, "predict_proba"):
        return "probability", classifier.predict_proba(vectors)
    scores = decision_scores(classifier, vectors)
    if scores is None:
        # NearestCentroid has no decision function for some metrics.
        predicted = classifier.predict(vectors)[:, np.newaxis]
        scores = (predicted == classifier.classes_).astype(np.float64)
    return "score", scores
