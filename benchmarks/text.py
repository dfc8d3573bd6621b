"""Accuracy of the recipe contains-text on photographs and on synthetic images.

    python benchmarks/text.py [--data FOLDER]

The few photographs with text are those in the folder text of FEATX_DATA. The images without text
are the photographs of scenes8. Some of these show text on shops, which counts as an error if it is
detected. Synthetic images show words in many fonts, colors, sizes and perspectives, on paper or on
photographs, with noise and JPEG compression.

The recipe is trained on one kind and tested on the other, and is also cross-validated on
photographs by five stratified folds with seed 0. The scenes are small and the photographs of text
are large. To separate the effect of size, the latter are also tested after shrinking to 256 pixels.
Street photographs of up to 640 pixels, some with text on signs, are tested as well.
"""

import argparse
import os
import sys
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from featx import ReadImages, load_recipe
from featx.evaluation.significance import wilson_interval

TYPES = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "STIXGeneral", "cmr10", "DejaVuSansMono")
TEXT = (
    "closed market street hotel exit bakery school station coffee book shop open parking "
    "prohibited at all times museum keep left danger of falling rocks 125 No 24 Road"
)
DRAWN = 200


def draw_text(rng: np.random.Generator, photograph: Path | None) -> np.ndarray:
    """Generate an image of a page of text, or of a board with text on a photograph."""
    ink, paper = draw_colors(rng)
    lines = [
        " ".join(rng.choice(TEXT.split(), rng.integers(1, 4)))
        for _ in range(rng.integers(1, 5) if photograph else rng.integers(3, 12))
    ]
    text = "\n".join(lines)
    text = rng.choice([text, text.upper(), text.title()])
    types = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(types / f"{rng.choice(TYPES)}.ttf", 48)
    box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((24, 24), text, font)
    board = Image.new("RGBA", (int(box[2]) + 24, int(box[3]) + 24), (*paper, 255))
    ImageDraw.Draw(board).multiline_text((24, 24), text, ink, font)
    if photograph is None:
        picture = board.convert("RGB").rotate(
            rng.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True, fillcolor=paper
        )
        picture.thumbnail((640, 640))
    else:
        picture = Image.open(photograph).convert("RGB").resize((640, 640))
        board.thumbnail(tuple(int(640 * rng.uniform(0.3, 0.9)) for _ in range(2)))
        # Each corner moves inwards independently.
        x, y = board.width, board.height
        corners = np.array([(0, 0), (0, y), (x, y), (x, 0)], float)
        seen = corners + rng.uniform(0, 0.12, (4, 2)) * (x, y) * np.sign([(x, y)] - 2 * corners)
        board = board.transform(
            board.size,
            Image.Transform.PERSPECTIVE,
            projection(seen, corners),
            Image.Resampling.BICUBIC,
        )
        picture.paste(board, tuple(int(rng.uniform(0, 640 - side)) for side in board.size), board)
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1)))
    noisy = np.asarray(picture) + rng.normal(0, rng.uniform(0, 6), (*picture.size[::-1], 3))
    file = BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(
        file, "JPEG", quality=int(rng.integers(70, 96))
    )
    return np.asarray(Image.open(file))


def draw_colors(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw two colors that differ in brightness by at least a third of the range."""
    while True:
        one, other = rng.integers(0, 256, (2, 3))
        if abs((one - other) @ (0.299, 0.587, 0.114)) > 85:
            return tuple(one.tolist()), tuple(other.tolist())


def projection(seen: np.ndarray, corners: np.ndarray) -> list[float]:
    """Solve for the eight coefficients of the projective map from ``seen`` to ``corners``."""
    rows = []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.linalg.solve(np.array(rows), corners.ravel()).tolist()


def report(name: str, predicted: np.ndarray, truth: np.ndarray) -> None:
    """Print the balanced accuracy, and correct predictions per class with Wilson intervals."""
    shares, said = [], []
    for kind, value in (("text", 1), ("none", 0)):
        right, count = int((predicted[truth == value] == value).sum()), int((truth == value).sum())
        if count > 0:
            low, high = wilson_interval(right / count, count)
            shares.append(right / count)
            said.append(f"{kind} {right} of {count} ({low:.1%} to {high:.1%})")
    print(f"{name}: {np.mean(shares):.1%}; {', '.join(said)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("FEATX_DATA"))
    data = parser.parse_args().data
    if data is None:
        sys.exit("No images. Set FEATX_DATA or pass --data.")
    stream, classifier = (load_recipe("contains-text")[part] for part in (0, slice(1, None)))
    texts = sorted((Path(data) / "text").iterdir())
    scenes = sorted((Path(data) / "scenes8" / "train").glob("*/*.jpg"))
    others = sorted((Path(data) / "stopsigns" / "other").iterdir())
    small = ReadImages(size=(256, 256), resize="shrink").transform(texts)
    rng = np.random.default_rng(0)
    photographs = rng.permutation(len(scenes))
    drawn = [
        draw_text(rng, scenes[photographs[index]] if index % 3 else None) for index in range(DRAWN)
    ]
    real, shrunk, without, drawn, street = (
        stream.transform(pictures) for pictures in (texts, small, scenes, drawn, others)
    )
    for path, strength in zip(texts, real[:, 0], strict=True):
        print(f"{path.name}: {strength:.1f}")
    levels = np.quantile(without, [0.5, 0.9, 0.95, 0.99])
    print(
        f"scenes, quantiles 0.5, 0.9, 0.95, 0.99: {', '.join(f'{level:.1f}' for level in levels)}"
    )

    vectors = np.concatenate([real, without])
    truth = np.repeat([1, 0], [len(real), len(without)])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    report(
        "photographs, all scenes", cross_val_predict(classifier, vectors, truth, cv=folds), truth
    )
    predictions, truths = [], []
    for draw in range(100):
        chosen = np.random.default_rng(draw).choice(len(without), len(real), replace=False)
        pair = np.concatenate([real, without[chosen]])
        truths.append(np.repeat([1, 0], len(real)))
        folds = StratifiedKFold(len(real), shuffle=True, random_state=draw)
        predictions.append(cross_val_predict(clone(classifier), pair, truths[-1], cv=folds))
    right = np.mean(np.array(predictions) == np.array(truths))
    print(f"photographs, equal number of scenes, leave-one-out per class, 100 draws: {right:.1%}")

    # Photographs used as backgrounds are excluded from the tests.
    first, second = np.array_split(photographs[DRAWN:], 2)
    vectors = np.concatenate([drawn, without[first]])
    fitted = clone(classifier).fit(vectors, np.repeat([1, 0], [len(drawn), len(first)]))
    for name, found in (("photographs", real), ("photographs at 256 pixels", shrunk)):
        tested = np.concatenate([found, without[second]])
        truth = np.repeat([1, 0], [len(found), len(second)])
        report(f"trained on synthetic images, tested on {name}", fitted.predict(tested), truth)
    report(
        "trained on synthetic images, tested on street photographs",
        fitted.predict(street),
        np.zeros(len(street)),
    )
    fitted = clone(classifier).fit(
        np.concatenate([real, without[first]]), np.repeat([1, 0], [len(real), len(first)])
    )
    tested = np.concatenate([drawn, without[second]])
    truth = np.repeat([1, 0], [len(drawn), len(second)])
    report("trained on photographs, tested on synthetic images", fitted.predict(tested), truth)
    report(
        "trained on photographs, tested on street photographs",
        fitted.predict(street),
        np.zeros(len(street)),
    )


if __name__ == "__main__":
    main()
