"""Pipelines that are fitted on folders of images, kept in files, and used on other images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline, make_pipeline

import featx
from featx.classifiers.kernel_map import ScoreSum
from featx.io.files import RefusedImage
from featx.io.tables import check_table_name, write_table
from featx.io.writing import as_text, new_file
from featx.jobs.incremental import fit_in_pieces
from featx.pipeline.graph import Chunk, learns
from featx.pipeline.stream import Stream, run_together
from featx.store.stored_images import StoredFeatures, begin_with_store, put_back

Progress = Callable[[int, int], object]
#: Where a store has more bytes of vectors, a classifier that can be fitted piece by piece is.
_IN_MEMORY = 2**31


class ModelError(ValueError):
    """A model that cannot be fitted, loaded or used: says why, and what would be right."""


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


def save_model(pipeline: Pipeline, file: str | Path) -> None:
    """Write a fitted pipeline to a skops file.

    Raises
    ------
    ModelError
        If it holds anything that could not be loaded again.
    """
    # It loads torch where that is installed, which takes seconds; most work needs no file of it.
    import skops.io

    try:
        content = skops.io.dumps(pipeline)
        refused = sorted(set(skops.io.get_untrusted_types(data=content)) - _trusted())
    # skops raises whatever an object that it does not know makes it stumble over.
    except Exception as error:
        refused = [type(error).__name__]
    if refused:
        raise ModelError(
            f"The fitted model cannot be kept in a file ({', '.join(refused)}). Give its last "
            "steps other parameters."
        )
    Path(file).write_bytes(content)


def load_model(file: str | Path) -> Pipeline:
    """Load a fitted pipeline, if it holds nothing but stages and estimators.

    Raises
    ------
    ModelError
        If there is no such file, it is no model, or it asks for anything that is neither a public
        stage of featx nor an estimator that recipes may name.
    """
    if not Path(file).is_file():
        raise ModelError(f"{file}: there is no such file.")
    import skops.io

    not_ours = f"{file}: not a model that featx train wrote"
    try:
        unknown = set(skops.io.get_untrusted_types(file=file))
        if refused := sorted(unknown - _trusted()):
            raise ModelError(
                f"{file}: not loaded, since it asks for what is no part of featx: "
                f"{', '.join(refused)}."
            )
        model = skops.io.load(file, trusted=sorted(unknown))
    except ModelError:
        raise
    # skops raises whatever a broken archive makes it stumble over.
    except Exception as error:
        raise ModelError(f"{not_ours} ({error}).") from None
    if not isinstance(model, Pipeline):
        raise ModelError(f"{not_ours}, but {type(model).__name__}.")
    if not model.steps or not isinstance(model[0], Stream) or not hasattr(model, "classes_"):
        raise ModelError(f"{not_ours}, but another pipeline.")
    return model


#: What estimators that recipes may name are made of, and skops does not know.
_PARTS_OF_ESTIMATORS = {
    f"sklearn.{module}.{name}"
    for module, listed in {
        "calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
        "ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "feature_selection._univariate_selection": "f_classif",
        # PyFuncDistance64 calls any function, and is none of them.
        "metrics._dist_metrics": "BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64 "
        "EuclideanDistance64 HammingDistance64 ManhattanDistance64 MinkowskiDistance64",
        "neighbors._ball_tree": "BallTree",
        "neighbors._kd_tree": "KDTree",
        "neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
        "tree._tree": "Tree",
    }.items()
    for name in listed.split()
}


def _trusted() -> set[str]:
    """List the types that a model may hold, beside those that skops itself trusts."""
    public = [getattr(featx, name) for name in dir(featx) if name[0].isupper()]
    return _PARTS_OF_ESTIMATORS | {f"{made.__module__}.{made.__qualname__}" for made in public}


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


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Give the mean of the accuracies in each class of which there are images."""
    # scikit-learn's function takes no confusion matrix, and warns where a class has no images.
    counts = confusion.sum(axis=1)
    there = counts > 0
    return float(np.mean(np.diag(confusion)[there] / counts[there]))


def write_predictions(
    model: Pipeline,
    paths: Sequence[Any],
    file: str | Path,
    n_jobs: int | None = 1,
    progress: Progress = lambda done, refused: None,
) -> tuple[NDArray[Any], list[RefusedImage]]:
    """Write a CSV or Parquet table with one row for every image, refused ones too.

    Returns
    -------
    ndarray of str
        The predictions of the images that were not refused.
    list of RefusedImage
        The others.
    """
    check_table_name(file)
    refused: list[RefusedImage] = []
    predictions = []
    with new_file(file) as unfinished:
        tables = []
        stream = begin_with_store(model[0], paths)
        for chunk in Stream(stream.stages, stream.chunk_size, n_jobs).iterate(paths):
            table = _prediction_rows(model, chunk)
            refused += chunk.refused.values()
            tables.append(table)
            progress(len(chunk.items), len(chunk.refused))
        table = pyarrow.concat_tables(tables)
        if len(refused) == len(table):
            raise ModelError(f"All {len(table)} images are refused. The first: {refused[0]}")
        write_table(table, unfinished)
        predictions = [name for name in table["prediction"].to_pylist() if name is not None]
    return np.asarray(predictions), refused


def _prediction_rows(model: Pipeline, chunk: Chunk) -> pyarrow.Table:
    count = len(chunk.items)
    prediction: list[str | None] = [None] * count
    kind, scores = "score", np.full((count, len(model.classes_)), np.nan)
    if chunk.kept:
        (vectors,) = chunk.outputs
        kind, scores[chunk.kept] = class_scores(model[1:], vectors)
        for index, name in zip(chunk.kept, model[1:].predict(vectors), strict=True):
            prediction[index] = str(name)
    elif hasattr(model, "predict_proba"):
        kind = "probability"
    reasons = [chunk.refused[i].reason if i in chunk.refused else None for i in range(count)]
    missing = np.array([reason is not None for reason in reasons])
    text = pyarrow.string()
    columns = {
        "path": pyarrow.array([as_text(path) for path in chunk.items], text),
        "prediction": pyarrow.array(prediction, text),
        **{
            f"{kind}_{name}": pyarrow.array(scores[:, index], mask=missing)
            for index, name in enumerate(model.classes_)
        },
        "status": pyarrow.array(["ok" if reason is None else "refused" for reason in reasons]),
        "reason": pyarrow.array(reasons, text),
    }
    return pyarrow.table(columns)


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
