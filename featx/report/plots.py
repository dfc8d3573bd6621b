"""Plots of a comparison on matplotlib axes, and their SVG for the HTML report."""

import re
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from featx.core.errors import InputError
from featx.evaluation.results import Comparison, Result
from featx.report.text import number_name, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 40  # bins of histograms
_LETTER, _LINE = 5.5, 11.0  # mean width of a letter and height of a line, in points
#: Placeholder colors in matplotlib's SVG, replaced by the page's color variables for light and dark
#: mode.
_INK = "#010101"
_COLORS = {
    "#010102": "var(--blue)",
    "#010103": "var(--orange)",
    "#010104": "var(--green)",
    "#010105": "var(--violet)",
    "#010106": "var(--red)",
    "#010107": "var(--teal)",
    "#010108": "var(--rose)",
}


class Plots:
    """Plots of a comparison. Each method draws on matplotlib axes and returns them.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from featx import compare, make_scenes
    >>> scenes, classes = make_scenes(n=20, random_state=0)
    >>> comparison = compare(scenes, y=classes, recipe="vertical-lines", folds=2)
    >>> axes = comparison.plot.accuracy(Figure().subplots())
    >>> axes.get_xlabel()
    'accuracy, %'
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    def accuracy(self, ax: "Axes") -> "Axes":
        """Plot the accuracy of each recipe with its 95 % interval."""
        results = [result for result in self.comparison.results if result.measures]
        shares = np.array([result.accuracy for result in results])
        ends = np.array([(result.accuracy_low, result.accuracy_high) for result in results])
        places = np.arange(len(results))
        ax.errorbar(
            100 * shares, places, xerr=_distances(100 * shares, 100 * ends), fmt="o", capsize=3
        )
        ax.set_yticks(places, [short(result.name) for result in results])
        ax.invert_yaxis()
        ax.set_xlabel("accuracy, %")
        return ax

    def cost(self, ax: "Axes") -> "Axes":
        """Plot accuracy over CPU time per image, with the Pareto front."""
        results = [result for result in self.comparison.results if result.measures]
        times = np.array([result.milliseconds_per_image for result in results])
        shares = np.array([result.accuracy for result in results])
        ends = np.array([(result.accuracy_low, result.accuracy_high) for result in results])
        ax.errorbar(times, 100 * shares, yerr=_distances(100 * shares, 100 * ends), fmt="o")
        best = front(times, shares)
        ax.step(times[best], 100 * shares[best], where="post", linestyle="--", color="C1")
        ax.set(xscale="log", xlabel="CPU time, ms/image", ylabel="accuracy, %")
        # Plain numbers: powers of ten would require mathtext.
        ax.xaxis.set_major_formatter("{x:g}")
        ax.margins(x=0.15)
        ax.autoscale_view()
        names = [short(result.name) for result in results]
        lines = _lines_down(ax, names, times, 100 * shares)
        for name, x, y, line in zip(names, times, 100 * shares, lines, strict=True):
            ax.annotate(name, (x, y), (6, 4 - line), textcoords="offset points")
        return ax

    def learning_curves(self, ax: "Axes") -> "Axes":
        """Plot accuracy over the number of training images."""
        for number, result in enumerate(self.comparison.results):
            curve = result.learning_curve
            if curve is None or not curve.images:
                continue
            share, deviation = np.array(curve.accuracy), np.array(curve.deviation)
            line = ax.plot(
                curve.images,
                100 * share,
                color=f"C{number}",
                marker="osD^v<>"[number % 7],
                label=short(result.name),
            )
            low, high = 100 * (share - deviation), 100 * (share + deviation)
            ax.fill_between(curve.images, low, high, color=line[0].get_color(), alpha=0.15)
        ax.set(xlabel="training images", ylabel="accuracy, %")
        ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        return ax

    def confusion(self, name: str, ax: "Axes") -> "Axes":
        """Plot the confusion matrix of a recipe with `ConfusionMatrixDisplay`."""
        from sklearn.metrics import ConfusionMatrixDisplay

        names = [short(label) for label in self.comparison.classes]
        display = ConfusionMatrixDisplay(self.comparison[name].confusion, display_labels=names)
        display.plot(ax=ax, cmap="Blues", colorbar=False, xticks_rotation="vertical")
        return ax

    def feature(self, name: str, ax: "Axes") -> "Axes":
        """Plot histograms of a recipe's single feature by class, and the decision threshold."""
        result = self.comparison[name]
        numbers = single_number(result)
        classes = self.comparison.classes
        edges = _edges(numbers)
        for number, label in enumerate(classes):
            own = numbers[self.comparison.labels == label]
            ax.hist(own, edges, color=f"C{number}", alpha=0.45, label=short(label))
            ax.hist(own, edges, color=f"C{number}", histtype="step")
        limit = threshold(result)
        if limit is not None:
            ax.axvline(limit, linestyle="--", color="C4", label=f"threshold {limit:.3g}")
        if edges[0] > 0 and edges[-1] > 20 * edges[0]:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter("")
        ax.set(xlabel=number_name(result.feature_names[0]), ylabel="images")
        ax.legend(fontsize="small")
        return ax


def front(times: NDArray[np.float64], shares: NDArray[np.float64]) -> list[int]:
    """Return the indices of the Pareto front, from the fastest to the slowest recipe."""
    best: list[int] = []
    for place in np.lexsort((-shares, times)).tolist():
        if not best or shares[place] > shares[best[-1]]:
            best.append(place)
    return best


def single_number(result: Result) -> NDArray[Any]:
    """Return the feature of each test image for a recipe with a single feature."""
    if result.features is None or result.features.shape[1] != 1:
        raise InputError(f"{result.name}: the plot requires a recipe with a single feature.")
    numbers: NDArray[Any] = result.features[:, 0]
    return numbers


def threshold(result: Result) -> float | None:
    """Return the decision threshold of a linear model of a single feature, mean over the folds."""
    if result.weights.shape[1:] != (1, 1) or not np.all(result.weights):
        return None
    return float(np.mean(-result.offsets[:, 0] / result.weights[:, 0, 0]))


def _edges(numbers: NDArray[Any]) -> list[float]:
    low, high = float(numbers.min()), float(numbers.max())
    if low == high:
        return [low - 0.5, low + 0.5]
    if low > 0 and high > 20 * low:
        return [*map(float, np.geomspace(low, high, _BINS + 1))]
    return [*map(float, np.linspace(low, high, _BINS + 1))]


def _lines_down(ax: "Axes", names: list[str], x: NDArray[Any], y: NDArray[Any]) -> list[float]:
    """Return the downward shift of each label, in points, so that labels do not overlap."""
    points = ax.transData.transform(np.column_stack([x, y])) * 72 / ax.figure.dpi
    lowered = [0.0] * len(points)
    placed: list[tuple[float, float, float]] = []  # left, right, height
    for index in np.argsort(-points[:, 1], kind="stable"):
        left, height = points[index]
        right = left + _LETTER * len(names[index])
        while any(
            left < end and start < right and abs(height - other) < _LINE
            for start, end, other in placed
        ):
            height -= _LINE
            lowered[index] += _LINE
        placed.append((left, right, height))
    return lowered


def _distances(shares: NDArray[Any], ends: NDArray[Any]) -> NDArray[Any]:
    distances: NDArray[Any] = np.abs(ends.T - shares)
    return distances


def svg(
    draw: Callable[["Axes"], object], title: str, width: float = 7.2, height: float = 3.8
) -> str:
    """Draw axes as an SVG element in the page's colors, with a title for screen readers."""
    from cycler import cycler
    from markupsafe import escape
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    colors = dict.fromkeys(
        [
            *("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"),
            "legend.labelcolor",
        ],
        _INK,
    )
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "featx",
        "text.parse_math": False,
        "axes.prop_cycle": cycler(color=[*_COLORS]),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.framealpha": 0,
        "font.size": 11,
    }
    with rc_context(colors | settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.subplots())
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<g id=\"[^\"]*\">", "<g>", text)
    # Text uses the page's font, and the element scales with the page's width.
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px system-ui, sans-serif", text)
    opening = f'<svg role="img" aria-label="{escape(title)}"'
    text = re.sub(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", rf"{opening} \1>", text, count=1)
    for drawn, color in {_INK: "currentColor", **_COLORS}.items():
        text = text.replace(drawn, color)
    return text
