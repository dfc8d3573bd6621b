import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from featx import HOG, Sobel, Stream, Summarize
from featx.evaluation.comparison import compare
from featx.report.plots import _lines_down, front, svg, threshold
from featx.report.text import number_name

HOSTILE = "<b>$x^2$ & \u202e"


@pytest.fixture(scope="module")
def comparison():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 32, 32, 1), np.uint8)
    labels = np.array(["upright", HOSTILE])[np.arange(60) % 2]
    images[::2, :, ::2] //= 4
    edges = Stream([Sobel(axis="vertical"), Summarize(["mean_square"])])
    given = {
        "edges": make_pipeline(edges, LogisticRegression(C=1e6)),
        HOSTILE: make_pipeline(Stream([HOG(pixels_per_cell=(8, 8))]), GaussianNB()),
    }
    return compare(given, images, labels, folds=3, learning_curves=True)


@pytest.fixture
def axes():
    return Figure().subplots()


def texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_accuracy(comparison, axes):
    assert comparison.plot.accuracy(axes) is axes
    assert texts(axes.yaxis)[:3] == ["larger-class", "raw-pixels", "edges"]
    points = axes.lines[0].get_xdata()
    assert points.tolist() == [100 * result.accuracy for result in comparison.results]
    (bars,) = axes.containers[0].lines[2]
    for ends, result in zip(bars.get_segments(), comparison.results, strict=True):
        expected = [100 * result.accuracy_low, 100 * result.accuracy_high]
        assert ends[:, 0].tolist() == pytest.approx(expected)


def test_cost(comparison, axes):
    comparison.plot.cost(axes)
    points = axes.lines[0].get_xydata()
    assert points.tolist() == [
        [result.milliseconds_per_image, 100 * result.accuracy] for result in comparison.results
    ]
    assert axes.get_xscale() == "log"


def test_labels_of_close_points_do_not_overlap(axes):
    axes.set(xlim=(0, 1), ylim=(0, 1))
    x, y = np.array([0.5, 0.52, 0.1, 0.5]), np.array([0.9, 0.901, 0.9, 0.1])
    assert _lines_down(axes, ["hog-svm"] * 4, x, y) == [11, 0, 0, 0]
    assert _lines_down(axes, ["a", "hog-svm", "a", "a"], x, y) == [0, 0, 0, 0]
    assert _lines_down(axes, ["a"] * 3, x[[0, 0, 0]], y[[0, 0, 0]]) == [0, 11, 22]


def test_front():
    times, shares = np.array([3.0, 1, 2, 2, 5]), np.array([0.8, 0.5, 0.7, 0.6, 0.8])
    assert front(times, shares) == [1, 2, 0]


def test_learning_curves(comparison, axes):
    comparison.plot.learning_curves(axes)
    for line, result in zip(axes.lines, comparison.results, strict=True):
        assert [*line.get_xdata()] == result.learning_curve.images
        expected = 100 * np.array(result.learning_curve.accuracy)
        np.testing.assert_allclose(line.get_ydata(), expected)


def test_confusion(comparison, axes):
    comparison.plot.confusion("edges", axes)
    drawn = np.asarray(axes.images[0].get_array())
    assert drawn.tolist() == comparison["edges"].confusion.tolist()


def test_feature(comparison, axes):
    comparison.plot.feature("edges", axes)
    assert axes.get_xlabel() == "mean(V²)"
    counts = [sum(patch.get_height() for patch in bars) for bars in axes.containers[:2]]
    assert sum(counts) == 60
    result = comparison["edges"]
    limit = threshold(result)
    for fold in range(3):
        own = -result.offsets[fold, 0] / result.weights[fold, 0, 0]
        assert own == pytest.approx(limit, rel=0.5)
    upright = (result.features[:, 0] > limit) == (result.weights[0, 0, 0] > 0)
    assert np.mean(upright == (result.predictions == "upright")) > 0.9
    assert number_name(result.feature_names[0]) == "mean(V²)"
    with pytest.raises(ValueError) as error:
        comparison.plot.feature("raw-pixels", axes)
    assert str(error.value) == "raw-pixels: the plot requires a recipe with a single feature."


def test_svg(comparison):
    drawn = svg(comparison.plot.cost, f"Cost of {HOSTILE}")
    root = ElementTree.fromstring(drawn.replace(' xlink:href="', ' href="'))
    assert root.get("aria-label") == f"Cost of {HOSTILE}"
    assert root.get("role") == "img"
    assert "currentColor" in drawn
    assert "var(--blue)" in drawn
    assert not re.search(r"#01010\d", drawn)
    assert "<metadata" not in drawn
    written = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")] or [
        text.text for text in root.iter("text")
    ]
    assert r"<b>$x^2$ & \u202e" in written


def test_in_a_notebook(comparison):
    shown = comparison._repr_html_()
    assert "<table>" in shown
    assert "&lt;b&gt;$x^2$ &amp; \\u202e" in shown
    assert comparison.to_html().lstrip().startswith("<!doctype html>")
