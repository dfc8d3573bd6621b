import os
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from featx import (
    HOG,
    BagOfWords,
    DenseSIFT,
    ReadImages,
    SpatialPyramid,
    Stream,
    __version__,
    load_dataset,
    read_features,
)
from featx.core.errors import StoreError
from featx.datasets.loading import list_images
from featx.evaluation.comparison import compare
from featx.io.file_state import FileState
from featx.jobs.evaluate import evaluate
from featx.jobs.model_files import load_model, save_model
from featx.jobs.predict import predict
from featx.jobs.train import train
from featx.pipeline.fitting import split
from featx.store import extraction
from featx.store.extraction import write_features
from featx.store.stored_images import StoredImage, stored_images

COUNT, REFUSED = 40, 3


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Write images of two classes, which differ in their stripes, and an invalid file."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        label = "ab"[index % 2]
        (folder / label).mkdir(exist_ok=True)
        pixels = rng.integers(0, 60, (48, 48), np.uint8)
        pixels += rng.integers(0, 190, (1, 48) if label == "a" else (48, 1), np.uint8)
        Image.fromarray(pixels).save(folder / label / f"{index:02}.png")
    (folder / "b" / f"{REFUSED:02}.png").write_bytes(b"none")
    return folder


def reading():
    return ReadImages(size=(32, 32), mode="gray")


def vectors():
    stages = [reading(), HOG(pixels_per_cell=(8, 8), cells_per_block=(2, 2))]
    return make_pipeline(Stream(stages), StandardScaler(), LogisticRegression())


def words():
    stages = [reading(), DenseSIFT(step=8), BagOfWords(n_words=5, n_samples=300)]
    return make_pipeline(Stream(stages), LogisticRegression())


def extract(photos, out, pipeline, monkeypatch):
    """Write a store of several parts."""
    monkeypatch.setattr(extraction, "_ROWS", 16)
    write_features(out, zip(*list_images(photos), strict=True), split(pipeline)[0])
    assert len(list(out.glob("part-*"))) > 1
    return out


@pytest.fixture(params=[vectors, words])
def made(request, photos, tmp_path, monkeypatch):
    """Return a store and a function that returns its pipeline."""
    return extract(photos, tmp_path / "store", request.param(), monkeypatch), request.param


def readable(photos):
    paths, labels = load_dataset(photos)
    kept = [index for index, path in enumerate(paths) if not path.endswith(f"/{REFUSED:02}.png")]
    return [paths[index] for index in kept], labels[kept]


def test_the_images_of_a_store(made, photos):
    store, _ = made
    images, labels = load_dataset(store)
    paths, expected = readable(photos)
    assert [str(image) for image in images] == paths
    assert labels.tolist() == expected.tolist()
    assert {image.store for image in images} == {str(store)}
    merged = load_dataset(store, target={"all": ["b"]})
    assert set(merged.labels) == {"all"}
    assert len(merged.paths) == COUNT // 2 - 1


def test_training_gives_the_same_model_as_on_images(made, photos, tmp_path):
    store, pipeline = made
    images, labels = load_dataset(store)
    told = []
    training = train(
        images, y=labels, recipe=pipeline(), n_jobs=2, progress=lambda done, _: told.append(done)
    )
    model, refused = training.model, training.refused
    assert refused == []
    assert sum(told) == COUNT - 1
    paths, labels = readable(photos)
    expected = train(paths, y=labels, recipe=pipeline()).model
    # The model accepts images, also after it is loaded from a file.
    save_model(model, tmp_path / "m.skops")
    for one in (model, load_model(tmp_path / "m.skops")):
        np.testing.assert_array_equal(one.predict_proba(paths), expected.predict_proba(paths))
        names, known = one[0].get_feature_names_out(), expected[0].get_feature_names_out()
        assert len(names) == len(known)
        assert evaluate(paths, y=labels, model=one).images == COUNT - 1


def test_a_store_moved_away_from_its_images(made, photos, tmp_path):
    store, pipeline = made
    shutil.move(store, tmp_path / "other")
    images, labels = load_dataset(tmp_path / "other")
    model = train(images, y=labels, recipe=pipeline()).model
    assert model.predict(readable(photos)[0]).shape == (COUNT - 1,)


def test_evaluation_and_predictions_on_a_store(made, photos, tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    store = extract(folder, tmp_path / "of-copies", made[1](), monkeypatch)
    images, labels = load_dataset(store)
    model = train(images, y=labels, recipe=made[1]()).model
    paths, _ = readable(folder)
    expected = evaluate(paths, y=labels, model=model).confusion.tolist()
    predict(paths, model=model, out=tmp_path / "images.csv")
    shutil.rmtree(folder)
    save_model(model, tmp_path / "m.skops")
    loaded = load_model(tmp_path / "m.skops")
    assert evaluate(images, y=labels, model=loaded).confusion.tolist() == expected
    predict(images, model=loaded, out=tmp_path / "store.csv")
    assert (tmp_path / "store.csv").read_text() == (tmp_path / "images.csv").read_text()


def test_comparison_is_that_of_the_images(made, photos, tmp_path):
    store, pipeline = made
    images, labels = load_dataset(store)
    paths, expected_labels = readable(photos)
    found = compare({"one": pipeline()}, images, labels, folds=3)
    expected = compare({"one": pipeline()}, paths, expected_labels, folds=3)
    # Stores do not contain raw pixels.
    assert [result.name for result in found.results] == ["larger-class", "one"]
    for one in found.results:
        assert one.predictions.tolist() == expected[one.name].predictions.tolist()
        assert one.dimensions == expected[one.name].dimensions
    if pipeline is words:
        assert found["one"].unattributed == (
            "a store of local descriptors does not record the size of their patches"
        )
    assert list(map(str, found.images)) == paths
    # One store for training and another for testing.
    other = tmp_path / "other"
    shutil.copytree(store, other)
    others, other_labels = load_dataset(other)
    tested = compare(
        {"one": pipeline()}, images[::2], labels[::2], test=(others[1::2], other_labels[1::2])
    )
    assert tested["one"].accuracy > 0.5
    again = compare({"one": pipeline()}, images[::2], labels[::2], test=(others, other_labels))
    assert len(again.left_out) == len(images[::2])
    assert again.images == tested.images


def test_copies_are_told_by_what_the_store_knows(photos, tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    shutil.copy(folder / "a" / "00.png", folder / "a" / "copy.png")
    store = extract(folder, tmp_path / "store", vectors(), monkeypatch)
    shutil.rmtree(folder)
    compared = compare({"one": vectors()}, *load_dataset(store), folds=3)
    ((first, second),) = compared.duplicates
    assert [str(first), str(second)] == [f"{folder}/a/00.png", f"{folder}/a/copy.png"]


def test_several_recipes_on_one_store(photos, tmp_path, monkeypatch):
    store = extract(photos, tmp_path / "store", vectors(), monkeypatch)
    bayes = make_pipeline(vectors()[0], GaussianNB())
    compared = compare({"one": vectors(), "bayes": bayes}, *load_dataset(store), folds=3)
    assert [result.name for result in compared.results] == ["larger-class", "one", "bayes"]


def test_another_recipe(made):
    store, _ = made
    images, labels = load_dataset(store)
    other = make_pipeline(Stream([reading(), SpatialPyramid([2])]), GaussianNB())
    for work in (
        lambda: train(images, y=labels, recipe=other),
        lambda: compare({"o": other}, images, labels),
    ):
        with pytest.raises(StoreError) as error:
            work()
        text = str(error.value)
        assert text.startswith(f"{store}: contains features of another recipe, : step 2 is ")
        assert text.endswith(
            " in the store and SpatialPyramid in this recipe. Extract the features of this recipe."
        )


def test_another_version(made, monkeypatch):
    store, pipeline = made
    images, labels = load_dataset(store)
    monkeypatch.setattr("featx.__version__", "99")
    with pytest.raises(StoreError) as error:
        train(images, y=labels, recipe=pipeline())
    assert str(error.value) == (
        f"{store}: was written by featx {__version__}, but this version is featx 99, whose "
        "features may differ. Extract the features again, or use that version: pip install "
        f"featx=={__version__}."
    )
    # Reading features does not require the stages.
    assert read_features(store).paths == [str(image) for image in images]


def test_images_and_a_store(made, photos):
    store, pipeline = made
    images, labels = load_dataset(store)
    paths, others = readable(photos)
    with pytest.raises(StoreError) as error:
        compare({"one": pipeline()}, images, labels, test=(paths, others))
    assert str(error.value) == ("images: some are stored and some are not. Pass only one kind.")


def test_a_damaged_part(made):
    store, pipeline = made
    images, labels = load_dataset(store)
    part = store / "part-000001.parquet"
    known = part.stat()
    content = bytearray(part.read_bytes())
    content[4:2000] = bytes(1996)
    part.write_bytes(content)
    # Damage by the disk changes neither size nor modification time.
    os.utime(part, ns=(known.st_atime_ns, known.st_mtime_ns))
    for work in (lambda: train(images, y=labels, recipe=pipeline()), lambda: load_dataset(store)):
        with pytest.raises(StoreError, match=rf"^{part}: damaged \("):
            work()


def test_features_of_another_run_do_not_come_back(made, photos, monkeypatch):
    store, pipeline = made
    first, labels = load_dataset(store)
    train(first, y=labels, recipe=pipeline())
    hashes = [image.sha256 for image in first]
    shutil.rmtree(store)
    paths, _ = readable(photos)
    moved = [(path, "ab"[index % 2]) for index, path in enumerate(reversed(paths))]
    write_features(store, moved, split(pipeline())[0])
    images, labels = load_dataset(store)
    assert [str(image) for image in images] == paths[::-1]
    assert [image.sha256 for image in images] == hashes[::-1]
    model = train(images, y=labels, recipe=pipeline()).model
    expected = train(paths[::-1], y=labels, recipe=pipeline()).model
    np.testing.assert_array_equal(model.predict_proba(paths), expected.predict_proba(paths))
    # Images of the earlier run are rejected.
    for work in (
        lambda: str(first[0]),
        lambda: first[0].sha256,
        lambda: train(first, y=labels, recipe=pipeline()),
    ):
        with pytest.raises(StoreError) as error:
            work()
        assert str(error.value) == (
            f"{store}/part-000000.parquet: has changed since its images were listed. List them "
            "again with load_dataset."
        )


def test_a_store_that_is_larger_than_memory(made, photos, monkeypatch):
    store, pipeline = made
    images, labels = load_dataset(store)
    learner = make_pipeline(pipeline()[0], StandardScaler(), SGDClassifier(random_state=0))
    monkeypatch.setattr("featx.jobs.train._IN_MEMORY", 0)
    monkeypatch.setattr("featx.jobs.incremental._BYTES", 8 * 4 * 20 * 20)
    monkeypatch.setattr("featx.jobs.incremental._STEPS", 1000)
    training = train(images, y=labels, recipe=learner)
    model, refused = training.model, training.refused
    assert refused == []
    paths, _ = readable(photos)
    assert np.mean(model.predict(paths) == labels) > 0.9
    again = train(images, y=labels, recipe=learner).model
    np.testing.assert_array_equal(model[-1].coef_, again[-1].coef_)
    # Estimators without partial_fit are fitted on all images at once.
    train(images, y=labels, recipe=pipeline())


def test_listing_takes_no_other_folder_for_a_store(tmp_path):
    (tmp_path / "part-1.png").touch()
    assert list_images(tmp_path).paths == [f"{tmp_path}/part-1.png"]


def test_a_row_is_small():
    part = FileState("part", 0, 0, 0)
    assert not hasattr(StoredImage(part, 0), "__dict__")


def test_images_of_one_part_share_it(made):
    images, _ = load_dataset(made[0])
    assert len({id(image.part) for image in images}) == len(list(made[0].glob("part-*")))


def test_classes_are_kept_once(made):
    _, labels = stored_images(made[0])
    assert len(set(map(id, labels))) <= 2 * len(list(made[0].glob("part-*")))
