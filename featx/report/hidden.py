"""Occlusion maps: the decrease of a class score when parts of an image are occluded."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from featx.explanation.occlusion import occlusion
from featx.pipeline.fitting import class_scores, decision_scores
from featx.pipeline.graph import Graph
from featx.report.pictures import figure_png, overlaid, pixels_of

_ALONG = 4  # occluding squares per shorter side; the stride is half a square


@dataclass
class Hidden:
    """An image and the occlusion map of a prediction."""

    pixels: NDArray[Any]
    #: Decrease per pixel of the decision score, or of the probability without decision scores.
    falls: NDArray[np.float32]


def hide(pixels: NDArray[Any], stages: Sequence[Any], classifier: Pipeline, answer: int) -> Hidden:
    """Compute an occlusion map: occlude squares of an image one at a time with its mean color.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, channels)
        The image.
    stages : list of transformers
        Fitted stages that compute the classifier's input.
    classifier : Pipeline
        A fitted classifier.
    answer : int
        Index of the predicted class in ``classes_``.
    """
    graph = Graph.of([stages])

    def score(pictures: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        vectors = graph.values(pictures)[graph.outputs[0]]
        scores = decision_scores(classifier, vectors)
        if scores is None:
            _, scores = class_scores(classifier, vectors)
        return scores[:, answer]

    side = max(min(pixels.shape[:2]) // _ALONG, 1)
    mean = pixels.mean(axis=(0, 1))
    color = np.rint(mean) if pixels.dtype.kind == "u" else mean
    return Hidden(pixels, occlusion(score, pixels, side, max(side // 2, 1), color))


def picture_of_hidden(hidden: Hidden, answer: str) -> bytes:
    """Draw an image and its occlusion map as PNG."""
    # Figure instead of pyplot, which requires a display.
    from matplotlib.figure import Figure

    pixels = pixels_of(hidden.pixels, hidden.pixels.shape[:2])
    largest = float(np.abs(hidden.falls).max()) or 1.0
    figure = Figure(figsize=(8, 3.9), layout="constrained")
    title = "\n".join(wrap(f"Occlusion map of {answer}", 80))
    figure.suptitle(title, fontsize=11, parse_math=False)
    before, after = figure.subplots(1, 2)
    before.imshow(pixels)
    before.set_title("image", fontsize=9)
    after.imshow(overlaid(pixels, hidden.falls, largest))
    after.set_title(
        f"red: occlusion decreases the score, by up to {largest:.3g};\nblue: it increases it",
        fontsize=9,
    )
    for axis in (before, after):
        axis.set_axis_off()
    return figure_png(figure)
