import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from featx import load_dataset, load_recipe
from featx.jobs.model_files import load_model


def test_a_folder(featx, photos, recipe):
    run = featx("train", photos, "--recipe", recipe, "--out", "deep/m.skops")
    assert run.code == 0
    assert run.out == "deep/m.skops: fitted on 12 images (city 6, field 6)\n"
    assert run.err == "12 images\n"
    paths, labels = load_dataset(photos)
    expected = load_recipe(recipe).fit(paths, labels)
    found = load_model("deep/m.skops")
    np.testing.assert_array_equal(found.predict_proba(paths), expected.predict_proba(paths))


@pytest.mark.parametrize("strict", [False, True])
def test_refused_images(featx, photos, damaged, refused_lines, recipe, strict):
    options = ["--strict"] if strict else []
    run = featx("train", photos, "--recipe", recipe, "--out", "m.skops", *options)
    assert run.code == int(strict)
    assert run.out == "m.skops: fitted on 12 images (city 6, field 6)\n"
    assert run.err == "15 images\n" + refused_lines
    paths = [str(path) for path in sorted(photos.glob("*/[0-9][0-9].png"))]
    labels = [Path(path).parent.name for path in paths]
    expected = load_recipe(recipe).fit(paths, labels).predict_proba(paths)
    np.testing.assert_array_equal(load_model("m.skops").predict_proba(paths), expected)


def test_json(featx, photos, damaged, recipe):
    run = featx("train", photos, "--recipe", recipe, "--out", "m.skops", "--json")
    assert json.loads(run.out) == {
        "out": "m.skops",
        "images": 12,
        "classes": ["city", "field"],
        "refused": [
            {"path": f"{photos}/{name}", "reason": reason, "detail": detail}
            for name, (reason, detail) in damaged.items()
        ],
    }


def test_labels(featx, photos, recipe):
    options = ["--labels", "town=city", "--labels", "land=field"]
    run = featx("train", photos, "--recipe", recipe, "--out", "m.skops", *options)
    assert run.out == "m.skops: fitted on 12 images (land 6, town 6)\n"
    assert load_model("m.skops").classes_.tolist() == ["land", "town"]


def test_files_without_a_class(featx, photos, recipe):
    shutil.copy(photos / "city" / "00.png", photos / "alone.png")
    run = featx("train", photos, "--recipe", recipe, "--out", "m.skops")
    assert run.code == 0
    assert run.err == (
        f"warning: {photos}: 1 of 13 files have no label and are skipped, for example "
        f"{photos}/alone.png.\n12 images\n"
    )


ONE_CLASS = (
    "A classifier requires images of at least two classes, got only 'city'. Put the images of "
    "each class into its own subfolder."
)


def fails(run, code, message):
    assert (run.code, run.out, run.err) == (code, "", f"featx: {message}\n")


def test_one_class(featx, photos, recipe, nothing_new):
    shutil.rmtree(photos / "field")
    nothing_new()
    fails(
        featx("train", photos, "--recipe", recipe, "--out", "new/m.skops"),
        2,
        f"{photos}: all 6 images are of one class, 'city'. Put the images of each class into a "
        "subfolder of its own.",
    )
    nothing_new()


def test_one_class_that_can_be_read(featx, photos, recipe, nothing_new):
    for path in (photos / "field").iterdir():
        path.write_bytes(b"")
    nothing_new()
    fails(featx("train", photos, "--recipe", recipe, "--out", "new/m.skops"), 1, ONE_CLASS)
    nothing_new()


def test_no_class(featx, photos, recipe, nothing_new):
    nothing_new()
    fails(
        featx("train", photos / "city", "--recipe", recipe, "--out", "m.skops"),
        2,
        f"{photos}/city: none of the 6 images has a label. Put the images of each class into "
        "its own subfolder.",
    )
    nothing_new()


def test_no_classifier(featx, photos, recipe, nothing_new):
    recipe.write_text(recipe.read_text().replace("  - GaussianNB\n", ""))
    nothing_new()
    fails(
        featx("train", photos, "--recipe", recipe, "--out", "m.skops"),
        1,
        "recipe: has no classifier. End it with one, such as LinearSVC.",
    )
    nothing_new()


def test_a_misspelt_recipe(featx, photos, recipe, nothing_new):
    recipe.write_text(recipe.read_text().replace("statistics", "statistic"))
    nothing_new()
    fails(
        featx("train", photos, "--recipe", recipe, "--out", "m.skops"),
        2,
        f"{recipe}:6: Summarize has no parameter 'statistic'. Did you mean statistics?",
    )
    nothing_new()


def test_where_nothing_can_be_written(featx, photos, recipe, nothing_new):
    nothing_new()
    fails(
        featx("train", photos, "--recipe", recipe, "--out", f"{recipe}/m.skops"),
        2,
        f"--out {recipe}/m.skops: cannot be written: a parent folder is a file.",
    )
    fails(
        featx("train", photos, "--recipe", recipe, "--out", photos),
        2,
        f"--out {photos}: is a folder. Name a file, such as {photos}/model.skops.",
    )
    fails(
        featx("train", photos, "--recipe", recipe, "--out", "/dev/null"),
        2,
        "--out /dev/null: does not end in .skops. Name it /dev/null.skops, for example.",
    )
    nothing_new()


def test_a_failure_leaves_the_model_that_is_there(featx, photos, recipe):
    Path("m.skops").write_text("old")
    for path in (photos / "field").iterdir():
        path.write_bytes(b"")
    assert featx("train", photos, "--recipe", recipe, "--out", "m.skops").code == 1
    assert Path("m.skops").read_text() == "old"


def test_on_a_store(featx, photos, recipe, tmp_path):
    store = tmp_path / "store"
    assert featx("extract", photos, "--recipe", recipe, "--out", store).code == 0
    run = featx(
        "train",
        store,
        "--recipe",
        recipe,
        "--out",
        "m.skops",
        "--labels",
        "x=city",
        "--labels",
        "y=field",
    )
    assert (run.code, run.out) == (0, "m.skops: fitted on 12 images (x 6, y 6)\n")
    assert featx("predict", photos, "--model", "m.skops", "--out", "p.csv").code == 0
    run = featx("train", store, "--recipe", "hog-svm", "--out", "other.skops")
    assert run.code == 1
    assert run.err.startswith(f"featx: {store}: contains features of another recipe, ")
    assert not Path("other.skops").exists()


NETWORK = """
title: A small network
source: none
steps:
  - ReadImages: {size: [16, 16], mode: gray}
  - ConvNet: {architecture: two-layer, epochs: 2}
"""


def test_a_network_prints_its_epochs_and_writes_a_checkpoint(featx, photos, tmp_path):
    recipe = tmp_path / "network.yaml"
    recipe.write_text(NETWORK)
    options = ["--recipe", recipe, "--out", "m.skops", "--checkpoint", "training.pt"]
    run = featx("train", photos, *options)
    assert run.code == 0
    assert [line.split(";")[0] for line in run.err.splitlines()] == [
        "epoch 1/2",
        "epoch 2/2",
        "12 images",
    ]
    # Resumed from the checkpoint, no epoch is left.
    run = featx("train", photos, *options)
    assert run.err == "12 images\n"
    assert Path("training.pt").stat().st_size > 1000
    run = featx("train", photos, *options[:4], "--quiet")
    assert run.err == "12 images\n"


def test_a_checkpoint_is_for_networks(featx, photos, recipe):
    run = featx("train", photos, "--recipe", recipe, "--out", "m.skops", "--checkpoint", "c.pt")
    assert run.code == 2
    assert run.err == f"featx: {recipe}: has no network to train. Leave out the checkpoint.\n"
