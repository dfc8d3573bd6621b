from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pyarrow import dataset
from sklearn.decomposition import PCA
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from featx import HOG, ReadImages, Stream, load_recipe, read_features
from featx.core.errors import DatasetError, InputError, RecipeError, StoreError
from featx.jobs.extract import extract


def message(function, *arguments, kind=InputError, **keywords):
    with pytest.raises(kind) as error:
        function(*arguments, **keywords)
    return str(error.value)


def test_arrays_paths_and_a_folder_give_one_store(photos, readable, recipe, tmp_path):
    paths, arrays, labels = readable
    told = []
    extraction = extract(
        photos, recipe=recipe, out=tmp_path / "folder", progress=lambda *n: told.append(n)
    )
    assert np.sum(told, axis=0).tolist() == [13, 1]
    assert [one.path for one in extraction.refused] == [f"{photos}/b/note.txt"]
    assert extraction.reasons == {"not-an-image": 1}
    assert str(extraction) == f"{tmp_path}/folder: 2 features of 12 images, 1 rejected"
    found = read_features(tmp_path / "folder")
    np.testing.assert_array_equal(found.vectors, load_recipe(recipe)[0].fit_transform(paths))
    for number, images in enumerate((paths, arrays, np.stack(arrays))):
        other = extract(images, y=labels, recipe=recipe, out=tmp_path / f"{number}")
        assert str(other) == f"{tmp_path}/{number}: 2 features of 12 images, 0 rejected"
        assert (other.refused, other.ledger) == ([], None)
        features = read_features(tmp_path / f"{number}")
        np.testing.assert_array_equal(features.vectors, found.vectors)
        assert features.labels.tolist() == found.labels.tolist() == labels
        assert features.names == found.names
    assert features.paths == [f"image {index}" for index in range(12)]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_arrays_that_a_stage_cannot_use_are_rejected(tmp_path, n_jobs):
    rng = np.random.default_rng(0)
    shapes = [(40, 40, 1), (8, 8, 1), (40, 40, 1)]
    images = [rng.integers(0, 256, shape, np.uint8) for shape in shapes]
    stream = Stream([HOG(pixels_per_cell=(8, 8))])
    extraction = extract(images, recipe=stream, out=tmp_path / "out", n_jobs=n_jobs)
    (refused,) = extraction.refused
    assert (refused.path, refused.reason) == ("image 1", "unsuitable")
    found = read_features(tmp_path / "out")
    assert found.paths == ["image 0", "image 2"]
    np.testing.assert_array_equal(
        found.vectors, Stream([HOG(pixels_per_cell=(8, 8))]).fit_transform(images[::2])
    )


def test_arrays_are_computed_again(readable, recipe, tmp_path):
    _, arrays, labels = readable
    extract(arrays, y=labels, recipe=recipe, out=tmp_path / "out")
    changed = [255 - image for image in arrays[:6]]
    extraction = extract(changed, y=labels[:6], recipe=recipe, out=tmp_path / "out")
    assert (extraction.images, extraction.earlier, extraction.removed) == (6, 0, 6)
    found = read_features(tmp_path / "out")
    assert found.paths == [f"image {index}" for index in range(6)]
    np.testing.assert_array_equal(
        found.vectors, load_recipe(recipe)[0].fit_transform(np.stack(changed))
    )


def test_labels_and_unlabelled_images(photos, readable, recipe, tmp_path):
    paths, _, _ = readable
    extract(photos, recipe=recipe, out=tmp_path / "merged", labels={"x": ["a"]})
    assert read_features(tmp_path / "merged").labels.tolist() == ["x"] * 6
    extract(paths, recipe=recipe, out=tmp_path / "none")
    assert read_features(tmp_path / "none").labels.tolist() == [None] * 12


def test_only_stages_before_the_first_trainable_one_are_used(readable, tmp_path):
    paths, _, labels = readable
    stages = [ReadImages(size=(32, 32)), HOG(pixels_per_cell=(8, 8)), PCA(2)]
    pipeline = make_pipeline(Stream(stages), GaussianNB())
    before = [deepcopy(vars(stage)) for stage in stages]
    extract(paths, y=labels, recipe=pipeline, out=tmp_path / "out")
    assert read_features(tmp_path / "out").vectors.shape == (12, 324)
    # The stages of the caller are not modified.
    assert [sorted(vars(stage)) for stage in stages] == [sorted(one) for one in before]


def test_a_stopped_run_is_resumed(readable, recipe, tmp_path):
    paths, _, _ = readable
    extraction = extract(paths, recipe=recipe, out=tmp_path / "out", stopped=lambda: True)
    assert not extraction.complete
    again = extract(paths, recipe=recipe, out=tmp_path / "out")
    assert (again.complete, again.images, again.earlier) == (True, 12, 0)
    assert extract(paths, recipe=recipe, out=tmp_path / "out").earlier == 12


def test_relative_paths_after_a_change_of_folder(photos, recipe, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    for number, (folder, images) in enumerate({".": "photos", "other": "../photos"}.items()):
        monkeypatch.chdir(tmp_path / folder)
        extraction = extract(images, recipe=recipe, out=tmp_path / f"{number}", n_jobs=2)
        assert extraction.reasons.total() == 1


def test_errors(photos, readable, recipe, tmp_path):
    paths, arrays, _ = readable
    out = tmp_path / "out"
    assert message(extract, tmp_path / "no", recipe=recipe, out=out, kind=DatasetError) == (
        f"{tmp_path}/no: no such folder or file."
    )
    assert message(extract, [], recipe=recipe, out=out) == (
        "images: is empty. Pass at least one image."
    )
    assert message(extract, [paths[0], arrays[0]], recipe=recipe, out=out) == (
        "images: mixes arrays and paths. Pass one kind."
    )
    assert message(extract, photos, recipe="hog-smv", out=out, kind=RecipeError) == (
        "hog-smv: no such recipe or file. Did you mean hog-svm?"
    )
    broken = Path(photos / "b" / "note.txt")
    said = message(extract, [broken], recipe=recipe, out=out, kind=StoreError)
    assert said.startswith(f"All 1 images were rejected. The first: {broken}: not-an-image: ")
    assert not out.exists()


def test_the_command_writes_the_same_store(photos, recipe, tmp_path, capsys):
    from featx.cli.main import app

    extraction = extract(photos, recipe=recipe, out=tmp_path / "python", n_jobs=2)
    options = ["--recipe", str(recipe), "--out", str(tmp_path / "command")]
    with pytest.raises(SystemExit) as end:
        app(["extract", str(photos), *options, "--jobs", "2"], prog_name="featx")
    assert end.value.code == 0
    assert capsys.readouterr().out == f"{extraction}\n".replace("python", "command")
    one, other = (dataset.dataset(tmp_path / name).to_table() for name in ("python", "command"))
    assert one.equals(other)
