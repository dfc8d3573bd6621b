"""Compare the predictions of a model with the true classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from featx.core.errors import ModelError, RefusedImage
from featx.evaluation.metrics import balanced_accuracy
from featx.pipeline.stream import run_together
from featx.store.stored_images import begin_with_store


@dataclass
class Evaluation:
    """How well a model does on images whose classes are known."""

    classes: list[str]
    #: Rows are the true classes, columns the predictions, both in the order of ``classes``.
    confusion: NDArray[np.int64]
    accuracy: float
    balanced_accuracy: float
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


def evaluate(
    model: Pipeline,
    paths: Sequence[Any],
    labels: Sequence[str] | NDArray[Any],
    n_jobs: int | None = 1,
    progress: Callable[[int], object] = int,
) -> Evaluation:
    """Compare a model's predictions with the true classes."""
    known = [str(name) for name in model.classes_]
    if strange := sorted(set(map(str, labels)) - set(known)):
        raise ModelError(
            f"The model knows no class {strange[0]!r}; it knows {', '.join(known)}. Merge or "
            "select classes with labels."
        )
    computed = run_together([begin_with_store(model[0], paths)], paths, n_jobs, progress)
    if not computed.kept:
        raise ModelError(f"All {len(paths)} images are refused. The first: {computed.refused[0]}")
    truth = np.asarray(labels)[computed.kept]
    predicted = model[1:].predict(computed.outputs[0])
    confusion = confusion_matrix(truth, predicted, labels=known)
    return Evaluation(
        known,
        confusion,
        float(np.mean(truth == predicted)),
        balanced_accuracy(confusion),
        computed.refused,
    )
