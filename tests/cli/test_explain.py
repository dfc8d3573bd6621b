import json
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
    assert run.err.startswith(f"refused: {broken}: ")
    fitted, paths = load_model("net.skops"), sorted(map(str, photo.parent.iterdir()))
    units = [look_for(fitted, unit, paths) for unit in ("0:1", "3:2")]
    expected = explain(str(photo), fitted).as_data()
    expected["units"] = [unit.as_data() for unit in units]
    assert json.loads(run.out) == expected
    assert len(expected["units"][0]["images"]) == min(9, len(paths) - 1)
    assert "<h2>Activation of units</h2>" in Path("out.html").read_text(encoding="utf-8")
    fails(
        featx("explain", photo, "--model", "net.skops", "--unit", "0", "--out", "out.png"),
        1,
        "unit='0' is not valid. Use LAYER:NUMBER, such as _fc:130.",
    )
    run = featx("explain", photo, "--model", "net.skops", "--among", "x", "--out", "out.png")
    assert (run.code, run.out) == (2, "")
    assert "--among needs a --unit, such as --unit _fc:130." in run.err


@pytest.mark.parametrize("options", [[], ["--recipe", "hog-svm", "--model", "m.skops"]])
def test_either_a_recipe_or_a_model(featx, photo, options, nothing_new):
    nothing_new()
    run = featx("explain", photo, *options, "--out", "out.png")
    assert (run.code, run.out) == (2, "")
    assert "Give either --recipe or --model." in run.err
    nothing_new()


def test_failures_leave_nothing(featx, photo, nothing_new):
    nothing_new()
    options = ["--recipe", "edges-alone", "--out"]
    fails(
        featx("explain", photo, *options, "out.jpg"),
        1,
        "out.jpg: the name must end in .png or .html.",
    )
    fails(
        featx("explain", "nowhere.png", *options, "out.png"),
        1,
        "nowhere.png: missing: the file does not exist.",
    )
    fails(
        featx("explain", photo.parent, *options, "out.png"),
        1,
        f"{photo.parent}: not-a-file: the path is a folder, pipe, socket or device, not a regular "
        "file.",
    )
    fails(
        featx("explain", photo, *options, f"{photo}/out.png"),
        1,
        f"{photo}/out.png: cannot be written: a parent folder is a file.",
    )
    fails(
        featx("explain", photo, "--recipe", "edges-alon", "--out", "out.png"),
        2,
        "edges-alon: no such recipe or file. Did you mean edges-alone?",
    )
    fails(
        featx("explain", photo, "--model", photo, "--out", "out.png"),
        1,
        f"{photo}: not a model that featx train wrote (File is not a zip file).",
    )
    nothing_new()
