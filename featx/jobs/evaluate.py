"""Compare the predictions of a model with the true classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from featx.core.errors import ModelError, RefusedImage
from featx.evaluation.metrics import balanced_accuracy
from featx.io.writing import refused_as_data
from featx.jobs.inputs import Labels, labelled_inputs, model_of
from featx.jobs.progress import Progress, report_to
from featx.pipeline.stream import run_together
from featx.store.stored_images import begin_with_store


@dataclass
class Evaluation:
    """The outcome of `evaluate`: accuracies and a confusion matrix; prints as a table."""

    classes: list[str]
    #: Rows are the true classes, columns the predictions, both in the order of ``classes``.
    confusion: NDArray[np.int64]
    accuracy: float
    balanced_accuracy: float
    #: The images that were rejected, and are not counted.
    refused: list[RefusedImage]

    @property
    def images(self) -> int:
        """The number of images that were classified."""
        return int(self.confusion.sum())

    def __str__(self) -> str:
        width = max(map(len, self.classes))
        rows = [
            f"accuracy {self.accuracy:.1%}, balanced {self.balanced_accuracy:.1%}, of "
            f"{self.images} images; a row is a true class, a column a prediction"
        ]
        rows += [
            f"{name:{width}}" + "".join(f"{count:7d}" for count in counts)
            for name, counts in zip(self.classes, self.confusion, strict=True)
        ]
        return "\n".join(rows)

    def as_data(self) -> dict[str, Any]:
        """Return the outcome as plain data, for JSON."""
        return {
            "n": self.images,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "classes": self.classes,
            "confusion": self.confusion.tolist(),
            "refused": refused_as_data(self.refused),
        }


def evaluate(
    images: Any,
    *,
    y: Any = None,
    model: Pipeline | str | Path,
    labels: Labels = (),
    trusted: Sequence[str] = (),
    n_jobs: int | None = 1,
    progress: Progress = False,
) -> Evaluation:
    """Compare the predictions of a model with the classes of labelled images.

    Parameters
    ----------
    images : str, Path, or sequence of paths or arrays
        A folder, whose sub-folders are the classes; a glob; a CSV or Parquet manifest; an archive;
        a URL; a folder written by `extract`; or the images themselves.
    y : array-like of shape (n,), optional
        The classes, if the images are given themselves.
    model : Pipeline, str or Path
        A fitted pipeline, such as the ``model`` that `train` returns, or its file.
    labels : dict or list of str, default=()
        How classes are merged and selected: ``{"city": ["street", "tower"]}``, or
        ``["city=street,tower"]``.
    trusted : list of str, default=()
        Types of your own that the model's file may hold, such as ``"mypackage.MyStage"``.
    n_jobs : int, default=1
        Number of threads; -1 for one per processor.
    progress : bool or callable, default=False
        True prints plain lines on standard error; a callable gets (done, refused), the numbers of
        images since its last call.

    Returns
    -------
    Evaluation
        Accuracies, the confusion matrix, and the rejected images.

    Raises
    ------
    DatasetError, InputError
        If there are no such images, or they have no classes.
    ModelError
        If the model cannot be used, knows none of the classes, or all images are rejected.

    Examples
    --------
    >>> from featx import evaluate, make_scenes, train
    >>> scenes, classes = make_scenes(n=24, size=(64, 64))
    >>> model = train(scenes[:16], y=classes[:16], recipe="vertical-lines").model
    >>> evaluation = evaluate(scenes[16:], y=classes[16:], model=model)
    >>> evaluation.images, evaluation.classes
    (8, ['city', 'landscape'])
    """
    found = labelled_inputs(images, y, labels)
    fitted = model_of(model, trusted)
    known = [str(name) for name in fitted.classes_]
    truth = found.labels.astype(str)
    if strange := sorted(set(truth.tolist()) - set(known)):
        raise ModelError(
            f"The model knows no class {strange[0]!r}; it knows {', '.join(known)}. Merge or "
            "select classes with labels."
        )
    with report_to(progress) as report:
        report.expect(len(truth))
        stream = begin_with_store(fitted[0], found.paths)
        computed = run_together([stream], found.paths, n_jobs, report)
        if not computed.kept:
            first = computed.refused[0]
            raise ModelError(f"All {len(truth)} images are refused. The first: {first}")
    truth = truth[computed.kept]
    predicted = fitted[1:].predict(computed.outputs[0]).astype(str)
    confusion = confusion_matrix(truth, predicted, labels=known)
    return Evaluation(
        known,
        confusion,
        float(np.mean(truth == predicted)),
        balanced_accuracy(confusion),
        computed.refused,
    )
