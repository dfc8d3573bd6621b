import json
import os
from pathlib import Path

import pytest
from PIL import Image

from featx import load_recipe
from featx.jobs.model_files import load_model
from featx.report.explanation import explain
from featx.report.units import look_for


@pytest.fixture
def photo(photos):
    return photos / "city" / "00.png"


def fails(run, code, message):
    assert (run.code, run.out, run.err) == (code, "", f"featx: {message}\n")


def test_a_recipe(featx, photo):
    run = featx("explain", photo, "--recipe", "vertical-lines", "--out", "new/out.png")
    expected = explain(str(photo), load_recipe("vertical-lines"))
    assert (run.code, run.err) == (0, "")
    assert run.out == f"new/out.png: {expected}\n"
    with Image.open("new/out.png") as picture:
        assert picture.format == "PNG"


def test_a_model(featx, photo, model):
    run = featx("explain", photo, "--model", model, "--out", "out.html", "--json")
    assert (run.code, run.err) == (0, "")
    found = json.loads(run.out)
    assert found == explain(str(photo), load_model(model)).as_data()
    assert list(found) == ["image", "stages", "features", "prediction", "scores"]
    assert found["prediction"] == load_model(model).predict([photo])[0]
    assert "<h2>Prediction</h2>" in Path("out.html").read_text(encoding="utf-8")


def test_several_images(featx, photo):
    photos = [photo, photo.with_name("02.png")]
    run = featx("explain", *photos, "--recipe", "edges-alone", "--out", "out.html", "--json")
    assert (run.code, run.err) == (0, "")
    expected = [explain(str(one), load_recipe("edges-alone")).as_data() for one in photos]
    assert json.loads(run.out) == {"images": expected}
    run = featx("explain", *photos, "--recipe", "edges-alone", "--out", "out.png")
    assert len(run.out.splitlines()) == 2


def test_units_of_a_network(featx, photo, tmp_path):
    trained = featx("train", photo.parents[1], "--recipe", "lenet-5", "--out", "net.skops")
    assert trained.code == 0
    broken = photo.parent / "broken.png"
    broken.write_bytes(b"nothing")
    options = ["--model", "net.skops", "--unit", "0:1", "--unit", "3:2"]
    run = featx("explain", photo, *options, "--among", photo.parent, "--out", "out.html", "--json")
    assert run.code == 0
    assert run.err.startswith(f"rejected: {broken}: ")
    fitted, paths = load_model("net.skops"), sorted(map(str, photo.parent.iterdir()))
    units = [look_for(fitted, unit, paths) for unit in ("0:1", "3:2")]
    expected = explain(str(photo), fitted).as_data()
    expected["units"] = [unit.as_data() for unit in units]
    assert json.loads(run.out) == expected
    assert len(expected["units"][0]["images"]) == min(9, len(paths) - 1)
    assert "<h2>Activation of units</h2>" in Path("out.html").read_text(encoding="utf-8")
    fails(
        featx("explain", photo, "--model", "net.skops", "--unit", "0", "--out", "out.png"),
        2,
        "--unit 0: is not of the form LAYER:NUMBER. Write it such as --unit _fc:130.",
    )
    run = featx(*("explain", photo, "--model", "net.skops", "--among", photo, "--out", "out.png"))
    fails(run, 2, "--among: needs a --unit. For example: --unit _fc:130")


def test_either_a_recipe_or_a_model(featx, photo, model, nothing_new):
    nothing_new()
    run = featx("explain", photo, "--out", "out.png")
    fails(run, 2, "explain: --recipe and --model are both missing. Give one of them.")
    run = featx("explain", photo, "--recipe", "hog-svm", "--model", model, "--out", "out.png")
    fails(run, 2, "explain: --recipe and --model exclude each other. Give one of them.")
    nothing_new()


def test_failures_leave_nothing(featx, photo, nothing_new):
    nothing_new()
    options = ["--recipe", "edges-alone", "--out"]
    fails(
        featx("explain", photo, *options, "out.jpg"),
        2,
        "--out out.jpg: does not end in .png or .html. Name it out.png, for example.",
    )
    fails(
        featx("explain", "nowhere.png", *options, "out.png"),
        2,
        f"nowhere.png: no such file. IMAGE is looked for from the current folder, {os.getcwd()}.",
    )
    fails(
        featx("explain", photo.parent, *options, "out.png"),
        2,
        f"{photo.parent}: is a folder. Name image files, such as {photo}.",
    )
    fails(
        featx("explain", photo, *options, f"{photo}/out.png"),
        2,
        f"--out {photo}/out.png: cannot be written: a parent folder is a file.",
    )
    fails(
        featx("explain", photo, "--recipe", "edges-alon", "--out", "out.png"),
        2,
        "--recipe edges-alon: no such recipe or file. Did you mean edges-alone?",
    )
    fails(
        featx("explain", photo, "--model", photo, "--out", "out.png"),
        2,
        f"--model {photo}: is an image. Name a file written by featx train, such as model.skops.",
    )
    nothing_new()
