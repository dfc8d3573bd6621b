"""How well stop signs are found, whole, partly hidden, in noise, and too dark or too light.

    python benchmarks/stop_signs.py [--data FOLDER] [--out FILE.png]

The recipe stop-sign on the folder stopsigns of FEATX_DATA, five stratified folds, seed 0. It is
always trained on pictures as they are, and tested on pictures that were changed: a rectangle of
another picture covers a part of the box of the strongest response, which is the sign's where there
is one; or noise is added to the picture; or its values are multiplied.
Each figure of hiding and noise is over five draws. The curves go to FILE.png.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from featx import ReadImages, load_dataset, load_recipe
from featx.search import Hit, find_pattern, small_pattern, stop_sign

DRAWS = 5
HIDDEN = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
NOISE = (0.0, 0.05, 0.1, 0.2, 0.3)
EXPOSURE = (0.25, 0.5, 1.0, 1.5, 2.0)


def read(data: str) -> tuple[list[np.ndarray], np.ndarray]:
    paths, labels = load_dataset(
        Path(data) / "stopsigns", target={"stop": ["stop"], "other": ["other"]}
    )
    images = ReadImages(size=(640, 640), fit="shrink").transform(paths)
    return [image.astype(np.float32) / 255 for image in images], labels


def strongest(image: np.ndarray) -> Hit:
    return find_pattern(image, *small_pattern(*stop_sign(96), 24), threshold=0.0)[0]


def hidden(image: np.ndarray, part: float, box: Hit, other: np.ndarray, rng) -> np.ndarray:
    """Cover this part of the box with a piece of another picture, from one of its sides."""
    top, left, height, width = (round(value) for value in box[1:])
    rows, columns = height, round(part * width)
    if rng.random() < 0.5:
        rows, columns = round(part * height), width
    top += rng.choice([0, height - rows])
    left += rng.choice([0, width - columns])
    place = image[top : top + rows, left : left + columns]
    # From where there is enough of the other picture; it wraps around its borders.
    first = rng.integers(0, other.shape[0]), rng.integers(0, other.shape[1])
    changed = image.copy()
    changed[top : top + rows, left : left + columns] = other.take(
        range(first[0], first[0] + place.shape[0]), axis=0, mode="wrap"
    ).take(range(first[1], first[1] + place.shape[1]), axis=1, mode="wrap")
    return changed


def accuracy(changed: np.ndarray, whole: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Train on whole pictures, test on those of the other folds, changed; right or wrong."""
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
        raise SystemExit("No pictures: set FEATX_DATA, or give --data.")
    images, labels = read(arguments.data)
    search = load_recipe("stop-sign")[0].stages[1]
    boxes, whole = [strongest(image) for image in images], search.fit_transform(images)
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
    for name, change, levels, draws in (
        ("part of the sign hidden", hide, HIDDEN, DRAWS),
        ("standard deviation of noise", add_noise, NOISE, DRAWS),
        ("exposure", expose, EXPOSURE, 1),
    ):
        print(name)
        for level in levels:
            right = np.mean(
                [
                    accuracy(
                        search.transform(change(level, np.random.default_rng(draw))), whole, labels
                    )
                    for draw in range(draws)
                ],
                axis=0,
            )
            found, spared = right[labels == "stop"].mean(), right[labels == "other"].mean()
            print(f"    {level:g}: {right.mean():.1%}; signs {found:.1%}, others {spared:.1%}")
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
    figure.axes[0].set_ylabel("right")
    figure.axes[0].legend()
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    main()
