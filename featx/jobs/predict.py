"""Prediction of the class of each image."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from featx.core.errors import ModelError, RefusedImage
from featx.datasets.loading import class_counts
from featx.io.tables import check_table_name, write_table
from featx.io.writing import image_name, new_file, refused_as_data
from featx.jobs.inputs import list_inputs, model_of
from featx.jobs.progress import Progress, report_to
from featx.pipeline.fitting import class_scores
from featx.pipeline.graph import Chunk
from featx.pipeline.stream import Stream
from featx.store.stored_images import begin_with_store


@dataclass
class Predictions:
    """Result of `predict`. It prints as one line."""

    #: One row per image: path, prediction, probability or score of each class, status, reason.
    table: pyarrow.Table
    #: Indices of the images that were not rejected.
    kept: list[int]
    #: The predicted classes of these images.
    predictions: NDArray[Any]
    #: Their probabilities or scores (n, classes), in the order of ``classes``.
    scores: NDArray[np.float64]
    #: Kind of the scores: "probability" or "score".
    kind: str
    classes: list[str]
    refused: list[RefusedImage]
    #: The written table, if any.
    out: str | Path | None = None

    def __str__(self) -> str:
        line = f"{len(self.predictions)} images ({class_counts(self.predictions)})"
        return line if self.out is None else f"{self.out}: {line}"

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data, for JSON."""
        return {
            "out": None if self.out is None else str(self.out),
            "images": len(self.predictions),
            "predictions": dict(Counter(self.predictions.tolist())),
            "refused": refused_as_data(self.refused),
        }


def predict(
    images: Any,
    *,
    model: Pipeline | str | Path,
    out: str | Path | None = None,
    trusted: Sequence[str] = (),
    n_jobs: int | None = 1,
    progress: Progress = False,
) -> Predictions:
    """Predict the class of each image and write a table of the predictions.

    Parameters
    ----------
    images : str, Path, or sequence of paths or arrays
        A folder; a glob; a CSV or Parquet manifest; an archive; a URL; a folder written by
        `extract`; or a sequence of images.
    model : Pipeline, str or Path
        A fitted pipeline, such as the ``model`` that `train` returns, or its file.
    out : str or Path, optional
        The table to write, one row per image: ``FILE.csv`` or ``FILE.parquet``.
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
    Predictions
        Predictions and scores of the readable images, and the rejected images.

    Raises
    ------
    DatasetError, InputError
        If the images cannot be found.
    ModelError
        If the model cannot be loaded, or all images are rejected.
    OutputError
        If the table cannot be written.

    Examples
    --------
    >>> from featx import make_scenes, predict, train
    >>> scenes, classes = make_scenes(n=24, size=(64, 64))
    >>> model = train(scenes[:16], y=classes[:16], recipe="vertical-lines").model
    >>> found = predict(scenes[16:], model=model)
    >>> found.scores.shape, found.kind, found.classes
    ((8, 2), 'probability', ['city', 'landscape'])
    """
    found = list_inputs(images)
    fitted = model_of(model, trusted)
    if out is not None:
        check_table_name(out)
    stream = begin_with_store(fitted[0], found.paths)
    tables, refused = [], list[RefusedImage]()
    writing = nullcontext() if out is None else new_file(out)
    with report_to(progress) as report, writing as unfinished:
        report.begin("Predicting", len(found.paths))
        start = 0
        for chunk in Stream(stream.stages, stream.chunk_size, n_jobs).iterate(found.paths):
            tables.append(_rows(fitted, chunk, start))
            refused += chunk.refused.values()
            report(len(chunk.items), len(chunk.refused))
            start += len(chunk.items)
        table = pyarrow.concat_tables(tables)
        if len(refused) == len(table):
            raise ModelError(f"All {len(table)} images were rejected. The first: {refused[0]}")
        if unfinished is not None:
            write_table(table, unfinished)
    return _predictions(table, fitted, refused, out)


def _rows(model: Pipeline, chunk: Chunk, start: int) -> pyarrow.Table:
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
    names = [image_name(image, start + index) for index, image in enumerate(chunk.items)]
    text = pyarrow.string()
    columns = {
        "path": pyarrow.array(names, text),
        "prediction": pyarrow.array(prediction, text),
        **{
            f"{kind}_{name}": pyarrow.array(scores[:, index], mask=missing)
            for index, name in enumerate(model.classes_)
        },
        "status": pyarrow.array(["ok" if reason is None else "refused" for reason in reasons]),
        "reason": pyarrow.array(reasons, text),
    }
    return pyarrow.table(columns)


def _predictions(
    table: pyarrow.Table, model: Pipeline, refused: list[RefusedImage], out: str | Path | None
) -> Predictions:
    """Return a table's columns as arrays, without the rejected images."""
    kept = np.flatnonzero(np.asarray(table["reason"].is_null())).tolist()
    read = table.take(kept)
    columns = table.column_names[2:-2]
    return Predictions(
        table,
        kept,
        np.asarray(read["prediction"].to_pylist()),
        np.stack([read[name].to_numpy() for name in columns], axis=1),
        columns[0].partition("_")[0],
        [str(name) for name in model.classes_],
        refused,
        out,
    )
