"""Evaluation of a model on labeled images."""

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
    """Result of `evaluate`: accuracies and a confusion matrix. It prints as a table."""

    classes: list[str]
    #: Rows are true classes and columns are predictions, in the order of ``classes``.
    confusion: NDArray[np.int64]
    accuracy: float
    balanced_accuracy: float
    #: The rejected images, which are not counted.
    refused: list[RefusedImage]

    @property
    def images(self) -> int:
        """Number of classified images."""
        return int(self.confusion.sum())

    def __str__(self) -> str:
        width = max(map(len, self.classes))
        rows = [
            f"accuracy {self.accuracy:.1%}, balanced {self.balanced_accuracy:.1%}, on "
            f"{self.images} images; rows: true class, columns: prediction"
        ]
        rows += [
            f"{name:{width}}" + "".join(f"{count:7d}" for count in counts)
            for name, counts in zip(self.classes, self.confusion, strict=True)
        ]
        return "\n".join(rows)

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data, for JSON."""
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
    """Evaluate a model on labeled images: accuracy and confusion matrix.

    Parameters
    ----------
    images : str, Path, or sequence of paths or arrays
        A folder, whose subfolders are the classes; a glob; a CSV or Parquet manifest; an archive;
        a URL; a folder written by `extract`; or a sequence of images.
    y : array-like of shape (n,), optional
        The classes, if ``images`` is a sequence.
    model : Pipeline, str or Path
        A fitted pipeline, such as the ``model`` that `train` returns, or its file.
    labels : dict or list of str, default=()
        Classes to merge and select: ``{"city": ["street", "tower"]}``, or
        ``["city=street,tower"]``.
    trusted : list of str, default=()
        Names of your own classes that the model file may contain, such as
        ``"mypackage.MyStage"``.
    n_jobs : int, default=1
        Number of threads; -1 for one per processor.
    progress : bool or callable, default=False
        True prints plain lines on standard error. A callable receives (done, refused): the numbers
        of finished and of rejected images since its last call.

    Returns
    -------
    Evaluation
        Accuracies, the confusion matrix, and the rejected images.

    Raises
    ------
    DatasetError, InputError
        If the images cannot be found, or have no classes.
    ModelError
        If the model cannot be loaded, lacks one of the classes, or all images are rejected.

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
    where = model if isinstance(model, str | Path) else "model"
    if strange := sorted(set(truth.tolist()) - set(known)):
        raise ModelError(
            f"{where}: has no class {strange[0]!r}, only {', '.join(map(repr, known))}. Merge or "
            f"select classes with labels, such as {known[0]}={strange[0]}."
        )
    with report_to(progress) as report:
        report.begin("Predicting", len(truth))
        stream = begin_with_store(fitted[0], found.paths)
        computed = run_together([stream], found.paths, n_jobs, report)
        if not computed.kept:
            first = computed.refused[0]
            raise ModelError(f"All {len(truth)} images were rejected. The first: {first}")
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
