import json
import os

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from featx import ReadImages, SpatialPyramid, Stream, load_dataset, load_recipe
from featx.core.errors import ComparisonError, InputError
from featx.evaluation import cache as cache_module
from featx.evaluation import comparison
from featx.jobs.compare import compare


def same(found, expected):
    assert [one.name for one in found.results] == [one.name for one in expected.results]
    for one, other in zip(found.results, expected.results, strict=True):
        assert one.predictions.tolist() == other.predictions.tolist()
        assert one.measures == other.measures
    assert found.protocol == expected.protocol


def test_arrays_paths_and_a_folder_are_compared_alike(photos, readable, recipe, tmp_path):
    paths, arrays, labels = readable
    told = []
    found = compare(
        photos,
        recipe=recipe,
        out=tmp_path / "out",
        folds=3,
        progress=lambda *n: told.append(n),
    )
    assert sorted(os.listdir(tmp_path / "out")) == [
        "predictions.parquet",
        "report.html",
        "results.json",
    ]
    assert np.sum(told, axis=0).tolist() == [13, 0]
    assert [one.path for one in found.refused] == [f"{photos}/b/note.txt"]
    same(found, comparison.compare([recipe], paths, labels, folds=3))
    same(compare(paths, y=labels, recipe=[recipe], folds=3), found)
    for images in (arrays, np.stack(arrays)):
        # Folds depend on the content, which differs in bytes between files and arrays.
        expected = comparison.compare([recipe], images, labels, folds=3)
        same(compare(images, y=labels, recipe=[recipe], folds=3), expected)
    # A named pipeline instead of a recipe.
    same(compare(paths, y=labels, recipe={"small": load_recipe(recipe)}, folds=3), found)


def test_options(readable, recipe):
    paths, _, labels = readable
    options = {"folds": 2, "random_state": 3, "repeats": 2, "learning_curves": True}
    found = compare(paths, y=labels, recipe=[recipe], labels=["x=a", "y=b"], **options)
    merged = [{"a": "x", "b": "y"}[label] for label in labels]
    expected = comparison.compare([recipe], paths, merged, **options)
    same(found, expected)
    assert found.protocol == "2-fold stratified cross-validation, 2 repetitions, seed 3"
    assert found["small"].learning_curve is not None


def test_a_test_set(photos, readable, recipe):
    paths, _, labels = readable
    expected = comparison.compare(
        [recipe], paths[::2], labels[::2], test=(paths[1::2], labels[1::2])
    )
    test = paths[1::2], labels[1::2]
    same(compare(paths[::2], y=labels[::2], recipe=[recipe], test=test), expected)
    dataset = load_dataset(photos)
    with pytest.raises(ComparisonError) as error:
        compare(photos, recipe=[recipe], test=dataset)
    assert str(error.value) == (
        "test: no test image is left. Left out as duplicates of training images: 12."
    )


def test_the_cache(readable, recipe, tmp_path, monkeypatch):
    paths, _, labels = readable
    monkeypatch.setattr("featx.jobs.compare.default_folder", lambda: tmp_path / "default")
    compare(paths, y=labels, recipe=[recipe], folds=2)
    assert not (tmp_path / "default").exists()
    first = compare(paths, y=labels, recipe=[recipe], folds=2, cache=True)
    assert len(os.listdir(tmp_path / "default")) > 2
    other = cache_module.Cache(tmp_path / "mine")
    for cache in (other, tmp_path / "mine", True):
        same(compare(paths, y=labels, recipe=[recipe], folds=2, cache=cache), first)


def test_a_failure_leaves_no_folder(readable, recipe, tmp_path):
    paths, _, labels = readable
    with pytest.raises(ComparisonError) as error:
        compare(paths, y=labels, recipe=[recipe], folds=7, out=tmp_path / "new" / "out")
    assert str(error.value) == (
        "folds=7 needs a class of at least 7 distinct images, but the largest, 'b', has 6. Use "
        "fewer folds or more images."
    )
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError) as error:
        compare(paths, recipe=[recipe])
    assert str(error.value) == "y: is missing. Pass the class of each image."
    pipeline = make_pipeline(Stream([ReadImages(size=(16, 16)), SpatialPyramid([2])]), GaussianNB())
    with pytest.raises(ComparisonError) as error:
        compare(paths, y=labels, recipe={"p": pipeline[:1]})
    assert str(error.value) == (
        "p: the recipe has no classifier. Add one as its last step, such as LinearSVC."
    )


def test_the_command_writes_the_same_report(photos, recipe, tmp_path, capsys):
    from featx.cli.main import app

    found = compare(photos, recipe=[recipe], out=tmp_path / "python", folds=3)
    options = ["--recipe", str(recipe), "--out", str(tmp_path / "command"), "--no-cache"]
    with pytest.raises(SystemExit) as end:
        app(["compare", str(photos), *options, "--folds", "3"], prog_name="featx")
    assert end.value.code == 0
    assert capsys.readouterr().out.splitlines()[0] == str(found).splitlines()[0]
    one, other = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("python", "command")
    )
    for results in (one, other):
        for result in results["recipes"].values():
            del result["cost"], result["milliseconds_per_image"]
    assert one == other
