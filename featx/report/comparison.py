"""A comparison as files: a page for people, numbers and predictions for programs."""

import base64
import json
from dataclasses import asdict
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
    hidden = ("predictions", "confusion")
    return {
        "protocol": comparison.protocol,
        "images": len(comparison.images),
        "classes": comparison.classes,
        "recipes": {
            result.name: {
                **{key: value for key, value in asdict(result).items() if key not in hidden},
                "confusion": result.confusion.tolist(),
            }
            for result in comparison.results
        },
        "refused": [
            {"path": as_text(image.path), "reason": image.reason, "detail": image.detail}
            for image in comparison.refused
        ],
        "duplicates": comparison.duplicates,
        "copies": [list(copy) for copy in comparison.copies],
        "left_out": comparison.left_out,
    }


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
    names = [_name(image, index) for index, image in enumerate(comparison.images)]
    tables = [
        pyarrow.table(
            {
                "recipe": [result.name] * len(names),
                "path": names,
                "label": comparison.labels.tolist(),
                "fold": comparison.folds,
                "prediction": result.predictions.tolist(),
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
    best = max(comparison.results, key=lambda result: result.accuracy)
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
        "name": _name(image, index),
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


def _name(image: Any, index: int) -> str:
    is_path = isinstance(image, str | bytes) or hasattr(image, "__fspath__")
    return as_text(image) if is_path else f"image {index}"
