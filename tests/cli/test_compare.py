import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from pyarrow import parquet

from featx import compare, load_dataset

OWN = "Import your own stages with --plugin MODULE."


def remarks(city, field, points):
    return "".join(
        f"Class {name!r} has {count} distinct images: its recall is uncertain by up to {points} "
        "percentage points (95 % interval).\n"
        for name, count in (("city", city), ("field", field))
    )


def fails(run, code, message):
    assert (run.code, run.out, run.err) == (code, "", f"featx: {message}\n")


@pytest.fixture
def other(recipe):
    """Write a second recipe and return its file."""
    file = recipe.with_name("other.yaml")
    text = recipe.read_text().replace("mean_absolute", "mean_square").replace("Small", "Other")
    file.write_text(text)
    return file


def test_a_folder(featx, photos, recipe, other):
    run = featx("compare", photos, "--recipe", recipe, "--recipe", other, "--out", "new/out")
    assert run.code == 0
    assert run.err == "12 images\n" + remarks(6, 6, 31)
    expected = compare(photos, recipe=[recipe, other])
    found = json.loads(Path("new/out/results.json").read_text(encoding="utf-8"))
    assert list(found["recipes"]) == ["larger-class", "raw-pixels", "small", "other"]
    for result in expected.results:
        one = found["recipes"][result.name]
        assert one["accuracy"] == result.accuracy
        assert one["folds"] == result.folds
        assert one["confusion"] == result.confusion.tolist()
    assert sorted(os.listdir("new/out")) == ["predictions.parquet", "report.html", "results.json"]
    table = parquet.read_table("new/out/predictions.parquet")
    assert table["prediction"].to_pylist() == [
        name for result in expected.results for name in result.predictions.tolist()
    ]
    lines = run.out.splitlines()
    assert lines[0] == "recipe        accuracy  95 % interval  ms/image  dimensions"
    assert [line.split()[0] for line in lines[1:]] == [
        "larger-class",
        "raw-pixels",
        "small",
        "other",
        "new/out/report.html",
    ]


def test_json_and_options(featx, photos, recipe):
    options = ["--folds", 3, "--random-state", 4, "--json", "--labels", "a=city"]
    options += ["--labels", "b=field"]
    run = featx("compare", photos, "--recipe", recipe, "--out", "out", *options)
    assert run.code == 0
    found = json.loads(run.out)
    assert found == json.loads(Path("out/results.json").read_text(encoding="utf-8"))
    target = {"a": ["city"], "b": ["field"]}
    expected = compare(photos, recipe=[recipe], labels=target, folds=3, random_state=4)
    assert found["protocol"] == "3-fold stratified cross-validation, seed 4"
    assert found["classes"] == ["a", "b"]
    assert found["recipes"]["small"]["folds"] == expected["small"].folds


def test_a_test_set(featx, photos, recipe, tmp_path):
    test = tmp_path / "test"
    for label in ("city", "field"):
        (test / label).mkdir(parents=True)
        for path in sorted((photos / label).iterdir())[:2]:
            path.rename(test / label / path.name)
    run = featx("compare", photos, "--recipe", recipe, "--test", test, "--out", "o", "--json")
    assert run.code == 0
    assert run.err == "12 images\n" + remarks(2, 2, 41)
    found = json.loads(run.out)
    assert found["protocol"] == "8 training images, 4 test images"
    assert found["recipes"]["small"]["folds"] == []
    expected = compare(photos, recipe=[recipe], test=load_dataset(test))["small"]
    assert found["recipes"]["small"]["accuracy"] == expected.accuracy


@pytest.mark.parametrize("strict", [False, True])
def test_refused_images(featx, photos, damaged, refused_lines, recipe, strict):
    options = ["--strict"] if strict else []
    run = featx("compare", photos, "--recipe", recipe, "--out", "out", *options)
    assert run.code == int(strict)
    assert run.err == "15 images\n" + remarks(6, 6, 31) + refused_lines
    found = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
    assert found["images"] == 12
    assert found["refused"] == [
        {"path": f"{photos}/{name}", "reason": reason, "detail": detail}
        for name, (reason, detail) in damaged.items()
    ]


def test_failures_leave_nothing(featx, photos, recipe, other, tmp_path, nothing_new):
    small = tmp_path / "sub"
    small.mkdir()
    shutil.copy(recipe, small)
    town = tmp_path / "towns" / "town"
    town.mkdir(parents=True)
    shutil.copy(photos / "city" / "00.png", town)
    other.write_text(other.read_text().replace("StandardScaler", "StandardScaller"))
    nothing_new()

    def compared(*options, images=photos):
        return featx("compare", images, "--recipe", recipe, "--out", "new/out", *options)

    fails(
        compared("--recipe", "hog-smv"),
        2,
        "--recipe hog-smv: no such recipe or file. Did you mean hog-svm?",
    )
    fails(
        compared("--recipe", other),
        2,
        f"{other}:7: unknown stage 'StandardScaller'. Did you mean StandardScaler? {OWN}",
    )
    fails(
        compared("--recipe", small / "small.yaml"),
        2,
        f"--recipe {recipe}: two recipes have the name small. Name each once, or rename one.",
    )
    fails(
        compared("--folds", 7),
        2,
        "--folds 7: no class has this many images. The largest, 'city', has 6: choose at most 6.",
    )
    fails(
        compared("--labels", "x=city"),
        2,
        f"{photos}: all 6 images are of one class, 'x'. Put the images of each class into a "
        "subfolder of its own.",
    )
    fails(
        compared("--test", town.parent),
        2,
        f"--test {town.parent}: has images of class 'town', but IMAGES has only 'city', 'field'. "
        "Merge or select classes with --labels.",
    )
    here = f"is looked for from the current folder, {os.getcwd()}."
    fails(
        compared("--test", "nowhere"), 2, f"--test nowhere: no such folder or file. --test {here}"
    )
    fails(compared(images="nowhere"), 2, f"nowhere: no such folder or file. IMAGES {here}")
    fails(
        featx("compare", photos, "--recipe", recipe, "--out", f"{recipe}/out"),
        2,
        f"--out {recipe}/out: cannot be written: a parent folder is a file.",
    )
    nothing_new()


def test_too_few_folds(featx, photos, recipe, nothing_new):
    nothing_new()
    run = featx("compare", photos, "--recipe", recipe, "--out", "out", "--folds", 1)
    fails(run, 2, "--folds 1: is out of range. Choose a number of at least 2.")
    nothing_new()


def test_repeats_learning_curves_and_the_cache(featx, photos, recipe, tmp_path):
    def compared(out, *options):
        run = featx(
            *("compare", photos, "--recipe", recipe, "--out", out, "--folds", 3, "--json"), *options
        )
        assert run.code == 0
        return json.loads(run.out)

    options = ["--repeats", 2, "--learning-curves"]
    found = compared("a", *options, "--cache", "mine")
    assert found["protocol"] == "3-fold stratified cross-validation, 2 repetitions, seed 0"
    assert len(found["recipes"]["small"]["folds"]) == 6
    assert len(found["recipes"]["small"]["learning_curve"]["images"]) > 2
    assert len(os.listdir("mine")) > 3
    assert compared("b", *options, "--cache", "mine") == found
    other = compared("c", *options, "--no-cache")
    for name, result in other["recipes"].items():
        assert result["measures"] == found["recipes"][name]["measures"]
    assert sorted(os.listdir(".")) == ["a", "b", "c", "mine"]


def test_stores(featx, photos, recipe, tmp_path):
    def extract(name):
        assert featx("extract", photos, "--recipe", recipe, "--out", tmp_path / name).code == 0

    extract("store")
    options = ["--recipe", recipe, "--folds", 3, "--json"]
    run = featx("compare", tmp_path / "store", "--out", "a", *options)
    assert run.code == 0
    expected = json.loads(featx("compare", photos, "--out", "b", *options).out)["recipes"]
    for name, result in json.loads(run.out)["recipes"].items():
        assert result["measures"] == expected[name]["measures"]
    for path in photos.rglob("*.png"):
        Image.open(path).transpose(Image.Transpose.ROTATE_180).save(path)
    extract("other")
    shutil.rmtree(photos)
    run = featx(
        "compare",
        tmp_path / "store",
        "--test",
        tmp_path / "other",
        "--recipe",
        recipe,
        "--out",
        "c",
    )
    assert run.code == 0
    assert os.path.isfile("c/report.html")
