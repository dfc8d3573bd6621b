"""How well text is told from scenes without it, on real pictures and on drawn ones.

    python benchmarks/text.py [--data FOLDER]

The recipe contains-text. Real pictures with text are few, the folder text of FEATX_DATA; those
without are the photographs of scenes8, some of which have text on shops and count as wrong if it
is found. Drawn pictures are words in many types, colours, sizes and perspectives, on paper or on
photographs, noisy and compressed.

Trained on one kind, the recipe is tested on the other; on real ones it is also trained, by five
stratified folds, seed 0. The scenes are small files and the pictures of text are large ones: so
that it is seen what size alone does, those of text are also shrunk to the scenes' 256 pixels, and
street photographs of up to 640 pixels are tested, of which some have signs with text.
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
    """Draw a page of text, or a board on a photograph, as a camera would have it."""
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
        # The corners move inwards, each by itself.
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
    """Draw two colours that differ in their brightness by a third."""
    while True:
        one, other = rng.integers(0, 256, (2, 3))
        if abs((one - other) @ (0.299, 0.587, 0.114)) > 85:
            return tuple(one.tolist()), tuple(other.tolist())


def projection(seen: np.ndarray, corners: np.ndarray) -> list[float]:
    """Solve for the eight numbers that take each of four points to where it comes from."""
    rows = []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.linalg.solve(np.array(rows), corners.ravel()).tolist()


def report(name: str, answers: np.ndarray, truth: np.ndarray) -> None:
    """Print how many of each kind are right, with Wilson's intervals."""
    shares, said = [], []
    for kind, value in (("text", 1), ("none", 0)):
        right, count = int((answers[truth == value] == value).sum()), int((truth == value).sum())
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
        sys.exit("No pictures: set FEATX_DATA, or give --data.")
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
    print(f"scenes, half, 90, 95, 99 % of them: {', '.join(f'{level:.1f}' for level in levels)}")

    vectors = np.concatenate([real, without])
    truth = np.repeat([1, 0], [len(real), len(without)])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    report("real, all scenes", cross_val_predict(classifier, vectors, truth, cv=folds), truth)
    answers, truths = [], []
    for draw in range(100):
        chosen = np.random.default_rng(draw).choice(len(without), len(real), replace=False)
        pair = np.concatenate([real, without[chosen]])
        truths.append(np.repeat([1, 0], len(real)))
        folds = StratifiedKFold(len(real), shuffle=True, random_state=draw)
        answers.append(cross_val_predict(clone(classifier), pair, truths[-1], cv=folds))
    right = np.mean(np.array(answers) == np.array(truths))
    print(f"real, as many scenes, one of each left out, 100 draws: {right:.1%}")

    # What was drawn on is not tested on.
    first, second = np.array_split(photographs[DRAWN:], 2)
    vectors = np.concatenate([drawn, without[first]])
    fitted = clone(classifier).fit(vectors, np.repeat([1, 0], [len(drawn), len(first)]))
    for name, found in (("real", real), ("real at 256 pixels", shrunk)):
        tested = np.concatenate([found, without[second]])
        truth = np.repeat([1, 0], [len(found), len(second)])
        report(f"trained on drawn, tested on {name}", fitted.predict(tested), truth)
    report("trained on drawn, street photographs", fitted.predict(street), np.zeros(len(street)))
    fitted = clone(classifier).fit(
        np.concatenate([real, without[first]]), np.repeat([1, 0], [len(real), len(first)])
    )
    tested = np.concatenate([drawn, without[second]])
    truth = np.repeat([1, 0], [len(drawn), len(second)])
    report("trained on real, tested on drawn", fitted.predict(tested), truth)
    report("trained on real, street photographs", fitted.predict(street), np.zeros(len(street)))


if __name__ == "__main__":
    main()
