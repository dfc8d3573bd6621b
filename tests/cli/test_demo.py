import json
import os
from pathlib import Path

from PIL import Image
from pyarrow import parquet

from featx.cli.demo import RECIPES


def test_demo(featx):
    run = featx("demo", "--n", 20, "--json", "--out", "new/demo")
    assert run.code == 0
    assert run.err == "20 images\n20 images\n"
    results = json.loads(run.out)
    assert list(results["recipes"]) == ["larger-class", "raw-pixels", *RECIPES]
    assert results["refused"] == results["duplicates"] == []
    names = ["city.png", "landscape.png", "predictions.parquet", "report.html", "results.json"]
    assert sorted(os.listdir("new/demo")) == [*names, "scenes"]
    assert json.loads(Path("new/demo/results.json").read_text(encoding="utf-8")) == results
    # The paths are relative to the folder, so that it can be moved.
    for path in parquet.read_table("new/demo/predictions.parquet")["path"].to_pylist():
        assert (Path("new/demo") / path).is_file()
    for name in names[:2]:
        with Image.open(Path("new/demo") / name) as picture:
            assert picture.format == "PNG"


def test_a_folder_that_is_not_empty(featx, nothing_new):
    Path("featx-demo").mkdir()
    Path("featx-demo/x").touch()
    nothing_new()
    run = featx("demo", "--n", 20)
    assert (run.code, run.out, run.err) == (
        2,
        "",
        "featx: --out featx-demo: exists already and is not empty. Remove it, or choose another "
        "name.\n",
    )
    assert featx("demo", "--n", 19).code == 2
    nothing_new()
