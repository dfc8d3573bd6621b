"""Fitted pipelines: split before what is learned, run in threads, scored per class."""

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
    """Part a pipeline before the first step that learns.

    Returns
    -------
    Stream
        The stages before it, which give the same for an image whatever the others are.
    list of estimators
        The steps from it on.
    """
    stream, *steps = (step for _, step in pipeline.steps)
    if not isinstance(stream, Stream):
        raise ModelError(f"The first step must be a Stream of stages, but it is {stream!r}.")
    stages = list(stream.stages)
    first = next((i for i, stage in enumerate(stages) if learns(stage)), len(stages))
    fixed = Stream(stages[:first], stream.chunk_size, stream.n_jobs)
    if first == len(stages):
        return fixed, steps
    return fixed, [Stream(stages[first:], stream.chunk_size, stream.n_jobs), *steps]


def in_threads(steps: Sequence[Any], n_jobs: int | None) -> list[Any]:
    """Let the steps that run streams of their own use so many threads."""
    return [
        clone(step).set_params(n_jobs=n_jobs) if isinstance(step, Stream | ScoreSum) else step
        for step in steps
    ]


def check_classes(labels: Sequence[str] | NDArray[Any]) -> None:
    """Refuse labels of fewer than two classes."""
    classes = sorted(set(map(str, labels)))
    if len(classes) < 2:
        only = f"only one, {classes[0]!r}" if classes else "none"
        raise ModelError(
            f"A classifier needs images of two classes at least, but there is {only}. Put the "
            "images of each class into a sub-folder of its own."
        )


def decision_scores(classifier: Pipeline, vectors: Any) -> NDArray[np.float64] | None:
    """Give what a classifier decides by, a score for each class; None of one without scores."""
    if not hasattr(classifier, "decision_function"):
        return None
    scores: NDArray[np.float64] = classifier.decision_function(vectors)
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    # Pairs of classes have others.
    return scores if scores.shape[1] == len(classifier.classes_) else None


def class_scores(classifier: Pipeline, vectors: Any) -> tuple[str, NDArray[np.float64]]:
    """Give "probability" or "score", and one for each class, in the classifier's order."""
    if hasattr(classifier, "predict_proba"):
        return "probability", classifier.predict_proba(vectors)
    scores = decision_scores(classifier, vectors)
    if scores is None:
        # Nearest centroids may have no scores.
        predicted = classifier.predict(vectors)[:, np.newaxis]
        scores = (predicted == classifier.classes_).astype(np.float64)
    return "score", scores
