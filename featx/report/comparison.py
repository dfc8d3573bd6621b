"""Output files of a comparison: HTML report, JSON results and Parquet predictions."""

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from featx.evaluation.results import Comparison, Result
from featx.io.formats import stamp
from featx.io.writing import refused_as_data
from featx.report.page import page

#: The format of ``results.json``.
FORMAT = 1


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Return the results of a comparison as JSON data."""
    names = comparison.source_names
    return {
        **stamp(FORMAT),
        "protocol": comparison.protocol,
        "images": len(comparison.images),
        "classes": comparison.classes,
        "recipes": {result.name: _result(result) for result in comparison.results},
        "pairs": [
            {"recipe": name, "other": other, "verdict": said, "p_values": p_values}
            for (name, other), (said, p_values) in comparison.verdicts.items()
        ],
        "remarks": comparison.remarks,
        "refused": refused_as_data(comparison.refused),
        "duplicates": comparison.duplicates,
        "copies": [
            {"image": names[first], "other": names[second], "kind": kind}
            for first, second, kind in comparison.copies
        ],
        "left_out": [names[place] for place in comparison.left_out],
    }


def _result(result: Result) -> dict[str, Any]:
    """Return the results of a recipe as JSON data. NaN becomes None, since JSON has no NaN."""
    figures = ("accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy")
    curve = result.learning_curve
    return {
        "name": result.name,
        "title": result.title,
        **{name: _known(getattr(result, name)) for name in figures},
        "folds": [_known(accuracy) for accuracy in result.folds],
        "milliseconds_per_image": result.milliseconds_per_image,
        "dimensions": result.dimensions,
        "measures": {
            name: {key: _known(value) for key, value in asdict(measure).items()}
            for name, measure in result.measures.items()
        },
        "cost": asdict(result.cost),
        "failures": result.failures,
        "learning_curve": None if curve is None else asdict(curve),
        "confusion": result.confusion.tolist(),
    }


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def write_comparison(comparison: Comparison, folder: str | Path) -> None:
    """Write ``report.html``, ``results.json`` and ``predictions.parquet`` into a folder."""
    folder = Path(folder)
    (folder / "report.html").write_text(page(comparison), encoding="utf-8")
    text = json.dumps(as_data(comparison), indent=2, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    parquet.write_table(_predictions(comparison), folder / "predictions.parquet")


def _predictions(comparison: Comparison) -> pyarrow.Table:
    """Return the predictions as a table with one row per recipe and test image."""
    names = comparison.names
    tables = [
        pyarrow.table(
            {
                "recipe": [result.name] * len(names),
                "path": names,
                "label": comparison.labels.tolist(),
                "fold": comparison.folds,
                "prediction": pyarrow.array(
                    [str(name) or None for name in result.predictions], pyarrow.string()
                ),
                "kind": [result.kind] * len(names),
                **{
                    f"score_{name}": pyarrow.array(result.scores[:, place], from_pandas=True)
                    for place, name in enumerate(comparison.classes)
                },
            }
        )
        for result in comparison.results
    ]
    return pyarrow.concat_tables(tables)
