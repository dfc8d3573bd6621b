"""A comparison as files: a page for people, numbers and predictions for programs."""

import base64
import json
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import simplejpeg
from numpy.typing import NDArray
from pyarrow import parquet

from featx.comparison import Comparison, Result
from featx.reading import ReadImages
from featx.writing import as_text

_EXAMPLES = 6  # pictures of right, and of wrong, answers
_THUMBNAIL = (96, 96)


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Give the figures of a comparison as plain data, for JSON."""
    names = comparison.source_names
    return {
        "protocol": comparison.protocol,
        "images": len(comparison.images),
        "classes": comparison.classes,
        "recipes": {result.name: _result(result) for result in comparison.results},
        "pairs": [
            {"recipe": name, "other": other, "verdict": said, "p_values": p_values}
            for (name, other), (said, p_values) in comparison.verdicts.items()
        ],
        "remarks": comparison.remarks,
        "refused": [
            {"path": as_text(image.path), "reason": image.reason, "detail": image.detail}
            for image in comparison.refused
        ],
        "duplicates": comparison.duplicates,
        "copies": [
            {"image": names[first], "other": names[second], "kind": kind}
            for first, second, kind in comparison.copies
        ],
        "left_out": [names[place] for place in comparison.left_out],
    }


def _result(result: Result) -> dict[str, Any]:
    """Give the figures of a recipe; what is not known is None, since JSON has no NaN."""
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
    page = _page(comparison)
    (folder / "report.html").write_text(page, encoding="utf-8")
    text = json.dumps(as_data(comparison), indent=2, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    parquet.write_table(_predictions(comparison), folder / "predictions.parquet")


def _predictions(comparison: Comparison) -> pyarrow.Table:
    """List the predictions, one row for every recipe and image."""
    names = comparison.names
    tables = [
        pyarrow.table(
            {
                "recipe": [result.name] * len(names),
                "path": names,
                "label": comparison.labels.tolist(),
                "fold": comparison.folds,
                "prediction": [str(name) or None for name in result.predictions],
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


def _page(comparison: Comparison) -> str:
    # Jinja2 is an extra: featx must be importable without it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("featx.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    best = max(comparison.results, key=lambda result: (bool(result.measures), result.accuracy))
    return environment.get_template("comparison.html.j2").render(
        comparison=comparison,
        best=best,
        examples={result.name: _examples(comparison, result) for result in comparison.results[1:]},
    )


def _examples(comparison: Comparison, result: Result) -> dict[str, list[dict[str, str]]]:
    """Choose pictures of right and of wrong answers, evenly over all images."""
    right = comparison.labels == result.predictions
    return {
        "right": [_example(comparison, result, i) for i in _evenly(np.flatnonzero(right))],
        "wrong": [_example(comparison, result, i) for i in _evenly(np.flatnonzero(~right))],
    }


def _evenly(positions: NDArray[np.intp]) -> list[int]:
    chosen = np.linspace(0, len(positions) - 1, min(_EXAMPLES, len(positions)))
    return [int(positions[int(index)]) for index in chosen]


def _example(comparison: Comparison, result: Result, index: int) -> dict[str, str]:
    image = comparison.images[index]
    return {
        "picture": _picture(image),
        "name": comparison.names[index],
        "truth": str(comparison.labels[index]),
        "prediction": str(result.predictions[index]),
    }


def _picture(image: Any) -> str:
    """Draw a small picture as a data URI, which keeps the report in one file."""
    (pixels,) = ReadImages(size=_THUMBNAIL, fit="pad").transform([image])
    if pixels.shape[:2] != _THUMBNAIL:  # arrays pass through reading as they are
        from featx.reading import fit_to

        pixels = fit_to(pixels, _THUMBNAIL, "pad", (255,) * pixels.shape[2])
    if pixels.dtype != np.uint8:
        whole = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
        pixels = np.clip(np.rint(pixels / whole * 255), 0, 255).astype(np.uint8)
    color = "RGB" if pixels.shape[2] == 3 else "GRAY"
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=85, colorspace=color)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
