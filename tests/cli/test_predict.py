import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from pyarrow import parquet

from featx.jobs.model_files import load_model


def fails(run, code, message):
    assert (run.code, run.out, run.err) == (code, "", f"featx: {message}\n")


def test_csv(featx, photos, model):
    run = featx("predict", photos, "--model", model, "--out", "new/p.csv")
    paths = [str(path) for path in sorted(photos.glob("*/*"))]
    predicted = load_model(model).predict(paths).tolist()
    counts = ", ".join(f"{name} {count}" for name, count in sorted(Counter(predicted).items()))
    assert run.code == 0
    assert run.out == f"new/p.csv: 12 images ({counts})\n"
    assert run.err == "12 images\n"
    with Path("new/p.csv").open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    assert list(rows[0]) == [
        "path",
        "prediction",
        "probability_city",
        "probability_field",
        "status",
        "reason",
    ]
    assert [row["path"] for row in rows] == paths
    assert [row["prediction"] for row in rows] == predicted
    probabilities = load_model(model).predict_proba(paths)
    for row, (city, field) in zip(rows, probabilities.tolist(), strict=True):
        assert float(row["probability_city"]) == city
        assert float(row["probability_field"]) == field
        assert (row["status"], row["reason"]) == ("ok", "")


@pytest.mark.parametrize("strict", [False, True])
def test_refused_images(featx, photos, model, damaged, refused_lines, strict):
    options = ["--strict"] if strict else []
    run = featx("predict", photos, "--model", model, "--out", "p.parquet", *options)
    assert run.code == int(strict)
    assert run.out.startswith("p.parquet: 12 images (city ")
    assert run.err == "15 images (3 rejected)\n" + refused_lines
    table = parquet.read_table("p.parquet")
    names = [str(path.relative_to(photos)) for path in sorted(photos.glob("*/*"))]
    assert table["path"].to_pylist() == [f"{photos}/{name}" for name in names]
    assert table["reason"].to_pylist() == [damaged.get(name, (None,))[0] for name in names]
    for column in ("prediction", "probability_city", "probability_field"):
        assert [value is None for value in table[column].to_pylist()] == [
            name in damaged for name in names
        ]


def test_json(featx, photos, model, damaged):
    run = featx("predict", photos, "--model", model, "--out", "p.parquet", "--json")
    table = parquet.read_table("p.parquet")
    assert json.loads(run.out) == {
        "out": "p.parquet",
        "images": 12,
        "predictions": dict(Counter(table["prediction"].drop_null().to_pylist())),
        "refused": [
            {"path": f"{photos}/{name}", "reason": reason, "detail": detail}
            for name, (reason, detail) in damaged.items()
        ],
    }


def test_a_single_image(featx, photos, model):
    assert (
        featx("predict", photos / "city" / "00.png", "--model", model, "--out", "p.csv").code == 0
    )


def test_nothing_to_predict(featx, photos, model, nothing_new):
    (photos / "empty").mkdir()
    nothing_new()
    fails(
        featx("predict", photos / "empty", "--model", model, "--out", "p.csv"),
        2,
        f"{photos}/empty: has no files in it. Name a folder of images.",
    )
    nothing_new()


def test_a_broken_model(featx, photos, model, nothing_new):
    model.write_bytes(b"broken")
    nothing_new()
    fails(
        featx("predict", photos, "--model", model, "--out", "p.csv"),
        2,
        f"--model {model}: is damaged, or not a model. Name a file written by featx train, such as "
        "model.skops.",
    )
    model.write_bytes(b"PK broken")
    fails(
        featx("predict", photos, "--model", model, "--out", "p.csv"),
        1,
        f"{model}: is not a model (File is not a zip file). Name a file written by featx train.",
    )
    fails(
        featx("predict", photos, "--model", "nowhere", "--out", "p.csv"),
        2,
        "--model nowhere: no such file. Name a file written by featx train, such as model.skops.",
    )
    nothing_new()


def test_where_nothing_can_be_written(featx, photos, model, nothing_new):
    nothing_new()
    fails(
        featx("predict", photos, "--model", model, "--out", "p.txt"),
        2,
        "--out p.txt: does not end in .csv or .parquet. Name it p.csv, for example.",
    )
    fails(
        featx("predict", photos, "--model", model, "--out", f"{model}/p.csv"),
        2,
        f"--out {model}/p.csv: cannot be written: a parent folder is a file.",
    )
    nothing_new()


def test_all_refused(featx, photos, model, damaged, nothing_new):
    nothing_new()
    reason, detail = damaged["field/note.txt"]
    fails(
        featx("predict", photos / "field" / "note.txt", "--model", model, "--out", "new/p.csv"),
        1,
        f"All 1 images were rejected. The first: {photos}/field/note.txt: {reason}: {detail}",
    )
    nothing_new()
