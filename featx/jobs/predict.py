"""Predict the class of each image."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from featx.core.errors import ModelError, RefusedImage
from featx.io.tables import check_table_name, write_table
from featx.io.writing import as_text, new_file
from featx.pipeline.fitting import class_scores
from featx.pipeline.graph import Chunk
from featx.pipeline.stream import Stream
from featx.store.stored_images import begin_with_store

Progress = Callable[[int, int], object]


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
