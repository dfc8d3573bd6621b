import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from featx.descriptors.pattern_search import stop_sign


def with_sign(size=40, row=30, column=60):
    pixels = np.random.default_rng(0).integers(100, 150, (120, 160, 3)).astype(np.float32)
    sign, mask = stop_sign(size)
    part = pixels[row : row + size, column : column + size]
    part += (255 * sign - part) * mask[..., np.newaxis]
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def street(tmp_path):
    """Write an image with a sign, one without, and one that is rejected."""
    folder = tmp_path / "street"
    folder.mkdir()
    with_sign().save(folder / "a.png")
    Image.fromarray(np.full((50, 60, 3), 120, np.uint8)).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"")
    return folder


@pytest.fixture
def pattern(tmp_path):
    """Write a stop sign with transparent corners."""
    sign, mask = stop_sign(100)
    pixels = np.dstack([255 * sign, 255 * mask]).round().astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "sign.png")
    return tmp_path / "sign.png"


def test_a_table_of_hits(featx, street, pattern):
    run = featx("find", pattern, street, "--out", "hits.csv")
    assert run.code == 0
    assert run.out == "hits.csv: 1 hits in 1 of 2 images\n"
    assert run.err == (
        f"3 images (1 rejected)\nrejected: {street}/c.png: empty: the file has no bytes.\n"
    )
    table = pd.read_csv("hits.csv")
    columns = ["path", "strength", "row", "column", "height", "width", "scale", "status", "reason"]
    assert list(table.columns) == columns
    assert table["path"].tolist() == [f"{street}/{name}.png" for name in "abc"]
    assert table["status"].tolist() == ["ok", "ok", "refused"]
    assert table["reason"].dropna().tolist() == ["empty"]
    assert table["strength"].notna().tolist() == [True, False, False]
    hit = table.iloc[0]
    assert hit["strength"] > 0.7
    assert hit["row"] == pytest.approx(30, abs=4)
    assert hit["column"] == pytest.approx(60, abs=4)
    assert hit["height"] == pytest.approx(40, abs=4)
    assert hit["scale"] == pytest.approx(hit["height"] / 100)


def test_the_drawn_sign_pictures_and_json(featx, street):
    options = ["--out", "hits.parquet", "--pictures", "pictures", "--json", "--jobs", "1"]
    run = featx("find", "stop-sign", street, *options)
    assert json.loads(run.out) == {
        "out": "hits.parquet",
        "images": 2,
        "found_in": 1,
        "hits": 1,
        "refused": [
            {"path": f"{street}/c.png", "reason": "empty", "detail": "the file has no bytes."}
        ],
    }
    (hit,) = pd.read_parquet("hits.parquet").dropna(subset="strength").to_dict("records")
    with Image.open("pictures/000000 a.jpg") as picture:
        pixels = np.asarray(picture).astype(int)
    before = np.asarray(with_sign()).astype(int)
    row, middle = round(hit["row"]), round(hit["column"] + hit["width"] / 2)
    yellow = pixels[row, middle] - before[row, middle]
    assert (pixels[row, middle] > [180, 180, -1]).all()
    assert np.abs(yellow).max() > 40


def test_boxes_of_large_images_are_in_pixels_of_the_file(featx, tmp_path):
    (tmp_path / "large").mkdir()
    with_sign().resize((1600, 1200), Image.Resampling.BILINEAR).save(tmp_path / "large" / "a.png")
    assert featx("find", "stop-sign", tmp_path / "large", "--out", "hits.csv").code == 0
    hit = pd.read_csv("hits.csv").iloc[0]
    assert [hit["row"], hit["column"], hit["height"]] == pytest.approx([300, 600, 400], abs=40)


def test_gray_images_and_patterns(featx, tmp_path):
    (tmp_path / "gray").mkdir()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (80, 90), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "gray" / "a.png")
    Image.fromarray(pixels[20:50, 40:80]).save(tmp_path / "part.png")
    run = featx("find", tmp_path / "part.png", tmp_path / "gray", "--out", "h.csv", "--size", 30)
    assert run.out == "h.csv: 1 hits in 1 of 1 images\n"
    hit = pd.read_csv("h.csv").iloc[0]
    assert hit["strength"] == pytest.approx(1, abs=1e-4)
    assert hit[["row", "column", "height", "width"]].tolist() == [20, 40, 30, 40]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["stop-sign", "--out", "x.txt"],
            2,
            "--out x.txt: does not end in .csv or .parquet. Name it x.csv, for example.",
        ),
        (
            ["none.png", "--out", "x.csv"],
            2,
            "none.png: no such file. PATTERN is an image file, or stop-sign.",
        ),
        (
            ["{street}", "--out", "x.csv"],
            2,
            "{street}: is a folder. PATTERN is an image file, or stop-sign.",
        ),
        (
            ["{street}/b.png", "--out", "x.csv"],
            1,
            "{street}/b.png: the visible part has one color. Use a pattern with edges.",
        ),
    ],
)
def test_errors(featx, street, nothing_new, arguments, code, message):
    nothing_new()
    pattern, *options = (argument.format(street=street) for argument in arguments)
    run = featx("find", pattern, street, *options, "--pictures", "pictures")
    assert (run.code, run.out, run.err) == (code, "", f"featx: {message.format(street=street)}\n")
    nothing_new()


def test_all_images_refused(featx, street, nothing_new):
    for name in "ab":
        (street / f"{name}.png").write_bytes(b"")
    nothing_new()
    run = featx("find", "stop-sign", street, "--out", "x.csv", "--pictures", "pictures")
    assert run.code == 1
    assert run.err.splitlines()[-1] == (
        f"featx: All 3 images were rejected. The first: {street}/a.png: empty: the file has "
        "no bytes."
    )
    nothing_new()
