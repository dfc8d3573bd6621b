import json
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from featx import load_dataset
from featx.datasets.loading import card_file, read_card
from featx.io import bundled

NAMES = bundled.names("datasets")


def test_list(featx):
    run = featx("datasets", "list")
    assert (run.code, run.err) == (0, "")
    expected = {name: read_card(name).title for name in NAMES}
    assert [line.split(maxsplit=1) for line in run.out.splitlines()] == [
        [name, title] for name, title in expected.items()
    ]
    assert json.loads(featx("datasets", "list", "--json").out) == expected


@pytest.mark.parametrize("name", NAMES)
def test_show(featx, name):
    run = featx("datasets", "show", name)
    assert (run.code, run.err) == (0, "")
    assert run.out.rstrip() == card_file(name).read_text(encoding="utf-8").rstrip()
    assert json.loads(featx("datasets", "show", name, "--json").out) == asdict(read_card(name))


def test_no_such_card(featx):
    run = featx("datasets", "show", "scenes9")
    assert (run.code, run.out, run.err) == (
        2,
        "",
        "featx: scenes9: no such data set. Did you mean scenes8?\n",
    )


def test_make(featx):
    options = ["--n", 5, "--size", 64, 72, "--seed", 3]
    run = featx("datasets", "make", "--out", "new/scenes", *options)
    assert (run.code, run.out, run.err) == (0, "new/scenes: 5 images\n", "5 images\n")
    paths, labels = load_dataset("new/scenes")
    assert len(paths) == 5
    assert set(labels) == {"city", "landscape"}
    for path in paths:
        with Image.open(path) as image:
            assert image.size == (72, 64)
    run = featx("datasets", "make", "--out", "again", *options, "--json")
    assert json.loads(run.out) == {"out": "again", "images": 5}
    for path in paths:
        again = Path(path.replace("new/scenes", "again"))
        assert again.read_bytes() == Path(path).read_bytes()


def test_make_in_a_folder_that_is_not_empty(featx, photos, nothing_new):
    nothing_new()
    run = featx("datasets", "make", "--out", photos, "--n", 2, "--size", 64, 64)
    assert (run.code, run.out, run.err) == (
        2,
        "",
        f"featx: --out {photos}: exists already and is not empty. Remove it, or choose another "
        "name.\n",
    )
    assert featx("datasets", "make", "--out", "out", "--n", 1).code == 2
    assert featx("datasets", "make", "--out", "out", "--n", 2, "--size", 1, 1).code == 2
    nothing_new()
