"""What an answer rests on: how its score falls where parts of the picture are hidden."""

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

_ALONG = 4  # squares that fill the shorter side; there are others between them


@dataclass
class Hidden:
    """A picture, and by how much the score of an answer falls where its parts are hidden."""

    pixels: NDArray[Any]
    #: For each pixel; the score is what the classifier decides by, or else a probability.
    falls: NDArray[np.float32]


def hide(pixels: NDArray[Any], stages: Sequence[Any], classifier: Pipeline, answer: int) -> Hidden:
    """Hide squares of a picture one after the other, under its mean colour.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, channels)
        The picture.
    stages : list of transformers
        What makes of it what the classifier takes, fitted.
    classifier : Pipeline
        A fitted classifier.
    answer : int
        The position of the answer in its ``classes_``.
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
    """Draw the picture, and beside it what spoke for the answer, as PNG."""
    # The figure itself and not pyplot, which would look for a screen.
    from matplotlib.figure import Figure

    pixels = pixels_of(hidden.pixels, hidden.pixels.shape[:2])
    largest = float(np.abs(hidden.falls).max()) or 1.0
    figure = Figure(figsize=(8, 3.9), layout="constrained")
    title = "\n".join(wrap(f"What the answer {answer} rests on", 80))
    figure.suptitle(title, fontsize=11, parse_math=False)
    before, after = figure.subplots(1, 2)
    before.imshow(pixels)
    before.set_title("the picture", fontsize=9)
    after.imshow(overlaid(pixels, hidden.falls, largest))
    after.set_title(
        f"red: hidden, it lowers the score, by up to {largest:.3g};\nblue: it raises it", fontsize=9
    )
    for axis in (before, after):
        axis.set_axis_off()
    return figure_png(figure)
