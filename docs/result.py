"""Draw docs/result.png, the picture of the README, on generated scenes: python docs/result.py."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from featx import Grayscale, PatternMatch, Sobel, compare, make_scenes

RECIPES = ["edges-alone", "vertical-lines", "vertical-line-ratio", "hog-svm"]


def draw(file: Path) -> None:
    """Draw a city and a landscape with their edges and lines, and the accuracy of the recipes."""
    scenes, labels = make_scenes(n=400, random_state=0)
    gray = Grayscale().transform(scenes)
    edges = Sobel(axis="vertical").transform(gray)
    lines = PatternMatch(pattern="line", length=31, orientation=90).transform(edges)
    strength, energy = np.abs(edges).mean(axis=(1, 2, 3)), (lines**2).mean(axis=(1, 2, 3))
    city, landscape = _telling_pair(labels, strength, energy)

    figure = Figure(figsize=(12, 5.2), layout="constrained")
    pictures, chart = figure.subfigures(1, 2, width_ratios=[1.75, 1])
    axes = pictures.subplots(2, 3)
    for row, index in zip(axes, (city, landscape), strict=True):
        shown = [
            (scenes[index], f"{labels[index]}", {}),
            (edges[index], f"mean |edges| = {strength[index]:.2f}", {"cmap": "RdBu_r"}),
            (lines[index], f"mean lines² = {energy[index]:.3f}", {"cmap": "RdBu_r"}),
        ]
        for axis, (picture, title, colors) in zip(row, shown, strict=True):
            largest = float(np.abs(picture).max())
            limits = {"vmin": -largest, "vmax": largest} if colors else {}
            axis.imshow(picture, **colors, **limits)
            axis.set_title(title, fontsize=11)
            axis.set_axis_off()
    _draw_accuracies(chart.subplots(), compare(scenes, y=labels, recipe=RECIPES))
    figure.savefig(file, dpi=80)


def _telling_pair(labels, strength, energy):
    """Choose a city and a landscape; the landscape has stronger edges, the city stronger lines."""
    city = np.flatnonzero(labels == "city")
    landscape = np.flatnonzero(labels == "landscape")
    middle = city[np.argsort(energy[city])[len(city) * 2 // 3]]
    stronger = landscape[strength[landscape] > 1.1 * strength[middle]]
    return middle, stronger[np.argsort(energy[stronger])[len(stronger) // 4]]


def _draw_accuracies(axis, comparison) -> None:
    names = [result.name for result in comparison.results]
    accuracies = np.array([100 * result.accuracy for result in comparison.results])
    lows = accuracies - [100 * result.accuracy_low for result in comparison.results]
    highs = [100 * result.accuracy_high for result in comparison.results] - accuracies
    axis.barh(names, accuracies, xerr=[lows, highs], color="#3b77b7", ecolor="#0d2c4d")
    for position, accuracy in enumerate(accuracies):
        axis.text(2, position, f"{accuracy:.1f} %", va="center", color="white", fontsize=11)
    axis.set(xlim=(0, 100), xlabel="accuracy, %, on 400 generated scenes")
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".png"))
