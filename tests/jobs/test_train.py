from copy import deepcopy

import numpy as np
import pytest
from noise_classes import draw, hog, pyramid
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featx import (
    BagOfWords,
    ConvNet,
    DenseSIFT,
    FisherVector,
    GramSVC,
    ReadImages,
    Stream,
    load_model,
    load_recipe,
)
from featx.core.errors import InputError, ModelError, RecipeError
from featx.jobs.train import train

KEPT = [1, 2, 3, 4, 5, 6, 8, 9, 10]


def message(function, *arguments, kind=ModelError, **keywords):
    with pytest.raises(kind) as error:
        function(*arguments, **keywords)
    return str(error.value)


class TestTrain:
    def test_equals_fitting_the_pipeline(self):
        images, labels = draw()
        pipeline = make_pipeline(hog(), StandardScaler(), LinearSVC(random_state=0))
        training = train(images, y=labels, recipe=pipeline)
        model, refused = training.model, training.refused
        assert refused == []
        by_hand = make_pipeline(hog(), StandardScaler(), LinearSVC(random_state=0))
        by_hand.fit(images, labels)
        np.testing.assert_array_equal(
            model.decision_function(images), by_hand.decision_function(images)
        )
        assert model.predict(images).tolist() == by_hand.predict(images).tolist()
        assert model[0].get_feature_names_out().shape == (36,)

    def test_a_trainable_stage(self):
        images, labels = draw()
        stages = [*hog().stages, PCA(3)]
        model = train(images, y=labels, recipe=make_pipeline(Stream(stages), GaussianNB())).model
        vectors = hog().fit_transform(images)
        expected = make_pipeline(PCA(3), GaussianNB()).fit(vectors, labels).predict_proba(vectors)
        # The last bits of a matrix product depend on the number of rows.
        np.testing.assert_allclose(model.predict_proba(images), expected, rtol=1e-4)

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_refused_images_are_left_out(self, folder, n_jobs):
        paths, labels = folder
        told = []
        pipeline = make_pipeline(pyramid(), GaussianNB())
        training = train(
            paths,
            y=labels,
            recipe=pipeline,
            n_jobs=n_jobs,
            progress=lambda *n: told.append(n),
        )
        model, refused = training.model, training.refused
        assert [one.path for one in refused] == [paths[i] for i in (0, 7, 11)]
        assert {one.reason for one in refused} == {"not-an-image"}
        assert np.sum(told, axis=0).tolist() == [12, 0]
        kept = [paths[i] for i in KEPT]
        expected = make_pipeline(pyramid(), GaussianNB()).fit(kept, labels[KEPT])
        np.testing.assert_array_equal(model.predict_proba(kept), expected.predict_proba(kept))

    def test_encoders_are_fitted_to_readable_images(self, folder):
        paths, labels = folder
        Image.fromarray(np.zeros((12, 40), np.uint8)).save(paths[4])
        stages = [ReadImages(mode="gray"), DenseSIFT(2, [4]), FisherVector(2)]
        training = train(paths, y=labels, recipe=make_pipeline(Stream(stages), GramSVC()), n_jobs=2)
        model, refused = training.model, training.refused
        assert [one.path for one in refused] == [paths[i] for i in (0, 4, 7, 11)]
        assert refused[1].detail == (
            "DenseSIFT needs at least 13 x 13 pixels with these parameters, but image 0 is "
            "12 x 40 pixels."
        )
        kept = [paths[i] for i in KEPT if i != 4]
        expected = make_pipeline(Stream(stages), GramSVC()).fit(
            kept, labels[[*map(paths.index, kept)]]
        )
        np.testing.assert_array_equal(
            model.decision_function(kept), expected.decision_function(kept)
        )

    def test_one_class(self):
        images, _ = draw(6)
        pipeline = make_pipeline(hog(), LinearSVC())
        end = "Put the images of each class into its own subfolder."
        assert message(train, images, y=["a"] * 6, recipe=pipeline) == (
            "A classifier requires images of at least two classes, got only 'a'. " + end
        )
        assert message(train, [], y=[], recipe=pipeline, kind=InputError) == (
            "images: is empty. Pass at least one image."
        )

    def test_one_class_that_can_be_read(self, folder):
        paths = [folder[0][i] for i in (0, 1, 4, 7)]
        assert message(train, paths, y=[*"abba"], recipe=make_pipeline(pyramid(), LinearSVC())) == (
            "A classifier requires images of at least two classes, got only 'b'. Put the images "
            "of each class into its own subfolder."
        )

    def test_all_refused(self, folder):
        paths = [folder[0][i] for i in (0, 7)]
        assert message(
            train, paths, y=["a", "b"], recipe=make_pipeline(pyramid(), LinearSVC())
        ) == (
            f"All 2 images were rejected. The first: {paths[0]}: not-an-image: unknown image "
            "format. Supported formats: JPEG, PNG, GIF, TIFF, BMP, WebP and PPM/PGM/PBM."
        )

    @pytest.mark.parametrize("steps", [[], [StandardScaler()]])
    def test_no_classifier(self, steps):
        images, labels = draw(6)
        assert message(train, images, y=labels, recipe=make_pipeline(hog(), *steps)) == (
            "recipe: has no classifier. End it with one, such as LinearSVC."
        )


def test_arrays_paths_and_a_folder_give_one_model(photos, readable, recipe, tmp_path):
    paths, arrays, labels = readable
    training = train(photos, recipe=recipe, out=tmp_path / "m.skops")
    assert [one.path for one in training.refused] == [f"{photos}/b/note.txt"]
    assert training.labels.tolist() == labels
    assert str(training) == f"{tmp_path}/m.skops: fitted on 12 images (a 6, b 6)"
    expected = training.model.predict_proba(paths)
    np.testing.assert_array_equal(load_model(tmp_path / "m.skops").predict_proba(paths), expected)
    for images in (paths, arrays, np.stack(arrays)):
        other = train(images, y=labels, recipe=recipe)
        assert (other.refused, other.out) == ([], None)
        assert str(other) == "fitted on 12 images (a 6, b 6)"
        np.testing.assert_array_equal(other.model.predict_proba(paths), expected)


def test_classes_are_merged_and_selected(photos, readable, recipe):
    paths, _, labels = readable
    for given in ({"x": ["a"], "y": ["b"]}, ["x=a", "y=b"]):
        assert train(photos, recipe=recipe, labels=given).model.classes_.tolist() == ["x", "y"]
        training = train(paths, y=labels, recipe=recipe, labels=given)
        assert training.labels.tolist() == [{"a": "x", "b": "y"}[label] for label in labels]


def test_the_callers_pipeline_is_not_modified(readable):
    paths, _, labels = readable
    stages = [ReadImages(size=(32, 32), mode="gray"), DenseSIFT(), BagOfWords(n_words=3)]
    pipeline = make_pipeline(Stream(stages), StandardScaler(), GaussianNB())
    parts = [pipeline[0], *stages, *pipeline[1:]]
    before = [deepcopy(vars(part)) for part in parts]
    model = train(paths, y=labels, recipe=pipeline).model
    assert [sorted(vars(part)) for part in parts] == [sorted(one) for one in before]
    assert hasattr(model[0].stages[2], "words_")
    assert not hasattr(stages[2], "words_")


def test_a_checkpoint_is_for_networks(readable, recipe, tmp_path):
    paths, _, labels = readable
    options = {"y": labels, "checkpoint": tmp_path / "c.pt", "kind": RecipeError}
    assert message(train, paths, recipe=recipe, **options) == (
        f"{recipe}: has no network to train. Leave out the checkpoint."
    )
    assert message(train, paths, recipe=load_recipe(recipe), **options) == (
        "recipe: has no network to train. Leave out the checkpoint."
    )
    stages = Stream([ReadImages(size=(16, 16), mode="gray")])
    network = make_pipeline(stages, ConvNet("two-layer", epochs=1))
    train(paths, y=labels, recipe=network, checkpoint=tmp_path / "c.pt")
    assert (tmp_path / "c.pt").stat().st_size > 1000
    assert network[-1].checkpoint is None


def test_wrong_inputs(photos, readable, recipe):
    paths, arrays, labels = readable
    wrong = {"recipe": recipe, "kind": InputError}
    assert message(train, paths, **wrong) == "y: is missing. Pass the class of each image."
    assert message(train, paths, y=labels[1:], **wrong) == (
        "y: has 11 classes for 12 images. Pass one per image."
    )
    assert message(train, photos, y=labels, **wrong) == (
        "y: applies to arrays and lists of paths only. The classes of a folder are the names of "
        "its subfolders; labels merges and selects them."
    )
    assert message(train, [*paths[:6], *arrays[6:]], y=labels, **wrong) == (
        "images: mixes arrays and paths. Pass one kind."
    )
    assert message(train, paths, y=labels, recipe=3, kind=InputError) == (
        "recipe: must be a name, a file, a Pipeline or a Stream, got 3."
    )
    assert message(train, paths, y=labels, recipe=make_pipeline(GaussianNB())) == (
        "The first step of the pipeline must be a Stream, got GaussianNB()."
    )
