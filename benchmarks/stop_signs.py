"""Robustness of the recipe stop-sign against occlusion, noise and exposure.

    python benchmarks/stop_signs.py [--data FOLDER] [--out FILE.png]

The data are the folder stopsigns of FEATX_DATA, with five stratified folds and seed 0. The recipe
is trained on unmodified images and tested on modified ones:

- Occlusion: a rectangle of another image covers a fraction of the box of the strongest response.
- Noise: Gaussian noise is added to the image.
- Exposure: the values of the image are multiplied.

Accuracies under occlusion and noise are means of five random draws. FILE.png receives the curves.
The first line reports for how many signs the strongest box has an IoU above 0.5 with a box drawn by
hand.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from featx import ReadImages, load_dataset, load_recipe
from featx.descriptors.pattern_search import (
    Hit,
    common_part,
    find_pattern,
    small_pattern,
    stop_sign,
)

DRAWS = 5
HIDDEN = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
NOISE = (0.0, 0.05, 0.1, 0.2, 0.3)
EXPOSURE = (0.25, 0.5, 1.0, 1.5, 2.0)
#: Row, column, height and width of each sign in pixels of the image as read, drawn by hand.
SIGNS = {
    "1": (7, 226, 95, 94),
    "11": (33, 133, 123, 122),
    "13": (147, 433, 57, 56),
    "14": (207, 510, 40, 40),
    "15": (146, 506, 70, 68),
    "16": (31, 87, 166, 172),
    "17": (86, 259, 95, 94),
    "18": (80, 266, 267, 268),
    "20": (51, 529, 95, 92),
    "23": (31, 117, 100, 100),
    "24": (127, 520, 34, 33),
    "26": (63, 380, 213, 169),
    "27": (123, 313, 66, 66),
    "28": (220, 480, 31, 31),
    "29": (94, 254, 282, 299),
    "3": (69, 461, 160, 163),
    "30": (37, 341, 139, 133),
    "31": (14, 460, 42, 40),
    "32": (201, 271, 90, 85),
    "33": (31, 329, 58, 58),
    "36": (144, 243, 60, 56),
    "5": (91, 294, 159, 177),
    "6": (53, 59, 100, 112),
    "9": (70, 40, 130, 127),
}


def read(data: str) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    paths, labels = load_dataset(
        Path(data) / "stopsigns", target={"stop": ["stop"], "other": ["other"]}
    )
    images = ReadImages(size=(640, 640), resize="shrink").transform(paths)
    names = [Path(path).stem for path in paths]
    return [image.astype(np.float32) / 255 for image in images], labels, names


def strongest(image: np.ndarray) -> Hit:
    return find_pattern(image, *small_pattern(*stop_sign(96), 24), threshold=0.0)[0]


def overlap(box: Hit, sign: tuple[int, ...]) -> float:
    """Compute the intersection over union (IoU) of two boxes."""
    one, other = np.array(box[1:]), np.array([sign], np.float64)
    areas = one[2:].prod(), other[0, 2:].prod()
    shared = common_part(one, other)[0] * min(areas)
    return float(shared / (sum(areas) - shared))


def hidden(image: np.ndarray, part: float, box: Hit, other: np.ndarray, rng) -> np.ndarray:
    """Cover a fraction of the box with a patch of another image, from one of its sides."""
    top, left, height, width = (round(value) for value in box[1:])
    rows, columns = height, round(part * width)
    if rng.random() < 0.5:
        rows, columns = round(part * height), width
    top += rng.choice([0, height - rows])
    left += rng.choice([0, width - columns])
    place = image[top : top + rows, left : left + columns]
    # A random patch of the other image, which wraps around its borders.
    first = rng.integers(0, other.shape[0]), rng.integers(0, other.shape[1])
    changed = image.copy()
    changed[top : top + rows, left : left + columns] = other.take(
        range(first[0], first[0] + place.shape[0]), axis=0, mode="wrap"
    ).take(range(first[1], first[1] + place.shape[1]), axis=1, mode="wrap")
    return changed


def accuracy(changed: np.ndarray, whole: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Train on unmodified images, test on modified ones; return 1 where correct, else 0."""
    classifier, right = load_recipe("stop-sign")[1:], np.zeros(len(labels))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for seen, held_back in folds.split(whole, labels):
        fitted = clone(classifier).fit(whole[seen], labels[seen])
        right[held_back] = fitted.predict(changed[held_back]) == labels[held_back]
    return right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("FEATX_DATA"))
    parser.add_argument("--out")
    arguments = parser.parse_args()
    if arguments.data is None:
        raise SystemExit("No images. Set FEATX_DATA or pass --data.")
    images, labels, names = read(arguments.data)
    search, boxes = load_recipe("stop-sign")[0].stages[1], [strongest(image) for image in images]
    whole = np.array([[box.strength] for box in boxes])
    overlaps = [
        overlap(box, SIGNS[name])
        for name, box, label in zip(names, boxes, labels, strict=True)
        if label == "stop"
    ]
    print(
        f"{sum(value > 0.5 for value in overlaps)} of {len(overlaps)} signs: IoU of the strongest "
        f"box above 0.5; the minimum is {min(overlaps):.2f}",
        flush=True,
    )
    others = [image for image, label in zip(images, labels, strict=True) if label == "other"]

    def hide(part, rng):
        pieces = [others[i] for i in rng.integers(0, len(others), len(images))]
        return [
            hidden(image, part, box, piece, rng)
            for image, box, piece in zip(images, boxes, pieces, strict=True)
        ]

    def add_noise(deviation, rng):
        return [
            (image + rng.normal(0, deviation, image.shape).astype(np.float32)).clip(0, 1)
            for image in images
        ]

    def expose(factor, rng):
        return [(image * np.float32(factor)).clip(0, 1) for image in images]

    curves = {}
    for name, change, unchanged, levels, draws in (
        ("occluded fraction of the sign", hide, 0, HIDDEN, DRAWS),
        ("standard deviation of the noise", add_noise, 0, NOISE, DRAWS),
        ("exposure", expose, 1, EXPOSURE, 1),
    ):
        print(f"accuracy by {name}", flush=True)
        for level in levels:
            searched = (
                [whole]
                if level == unchanged
                else (
                    search.fit_transform(change(level, np.random.default_rng(draw)))
                    for draw in range(draws)
                )
            )
            right = np.mean([accuracy(changed, whole, labels) for changed in searched], axis=0)
            found, spared = right[labels == "stop"].mean(), right[labels == "other"].mean()
            print(
                f"    {level:g}: all {right.mean():.1%}, signs {found:.1%}, others {spared:.1%}",
                flush=True,
            )
            curves.setdefault(name, []).append((level, right.mean(), found, spared))
    if arguments.out:
        draw_curves(curves, arguments.out)


def draw_curves(curves: dict[str, list[tuple[float, ...]]], file: str) -> None:
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    for axis, (name, points) in zip(
        figure.subplots(1, 3, sharey=True), curves.items(), strict=True
    ):
        levels, *columns = zip(*points, strict=True)
        for label, column in zip(("all", "signs", "others"), columns, strict=True):
            axis.plot(levels, column, marker="o", label=label)
        axis.set_xlabel(name)
        axis.set_ylim(0, 1.03)
    figure.axes[0].set_ylabel("accuracy")
    figure.axes[0].legend()
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
