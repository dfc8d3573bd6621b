import numpy as np
import pytest
from noise_classes import draw, hog, pyramid
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from featx.core.errors import InputError, ModelError
from featx.evaluation.metrics import balanced_accuracy
from featx.jobs.evaluate import evaluate
from featx.jobs.train import train

KEPT = [1, 2, 3, 4, 5, 6, 8, 9, 10]


def message(function, *arguments, kind=ModelError, **keywords):
    with pytest.raises(kind) as error:
        function(*arguments, **keywords)
    return str(error.value)


class TestEvaluation:
    def test_equals_scikit_learn(self, folder):
        paths, labels = folder
        kept = [paths[i] for i in KEPT]
        model = train(kept, y=labels[KEPT], recipe=make_pipeline(pyramid(), SVC(C=0.01))).model
        rng = np.random.default_rng(0)
        truth = rng.permutation(labels)
        told = []
        evaluation = evaluate(
            paths, y=truth, model=model, n_jobs=2, progress=lambda *n: told.append(n)
        )
        predicted = model.predict(kept)
        assert evaluation.images == 9
        assert evaluation.classes == ["a", "b", "c"]
        assert evaluation.confusion.tolist() == confusion_matrix(truth[KEPT], predicted).tolist()
        assert evaluation.accuracy == np.mean(truth[KEPT] == predicted)
        assert evaluation.balanced_accuracy == pytest.approx(
            balanced_accuracy_score(truth[KEPT], predicted), abs=1e-15
        )
        assert [one.path for one in evaluation.refused] == [paths[i] for i in (0, 7, 11)]
        assert np.sum(told, axis=0).tolist() == [12, 0]

    def test_classes_without_images(self):
        images, labels = draw()
        model = train(images, y=labels, recipe=make_pipeline(hog(), GaussianNB())).model
        only = labels == "b"
        evaluation = evaluate(images[only], y=labels[only], model=model)
        predicted = model.predict(images[only])
        assert evaluation.confusion.tolist() == [
            [0, 0, 0],
            [int(np.sum(predicted == name)) for name in "abc"],
            [0, 0, 0],
        ]
        assert evaluation.accuracy == evaluation.balanced_accuracy == np.mean(predicted == "b")

    def test_errors(self, folder):
        paths, labels = folder
        kept = [paths[i] for i in KEPT]
        model = train(kept, y=labels[KEPT], recipe=make_pipeline(pyramid(), GaussianNB())).model
        assert message(evaluate, paths[:2], y=["a", "d"], model=model) == (
            "model: has no class 'd', only 'a', 'b', 'c'. Merge or select classes with labels, "
            "such as a=d."
        )
        assert message(evaluate, paths[:1], y=["a"], model=model).startswith(
            f"All 1 images were rejected. The first: {paths[0]}: not-an-image: "
        )

    def test_printed(self):
        images, labels = draw()
        model = train(images, y=labels, recipe=make_pipeline(hog(), KNeighborsClassifier(1))).model
        assert str(evaluate(images, y=labels, model=model)) == (
            "accuracy 100.0%, balanced 100.0%, on 60 images; rows: true class, columns: "
            "prediction\n"
            "a     20      0      0\n"
            "b      0     20      0\n"
            "c      0      0     20"
        )

    @pytest.mark.parametrize("seed", range(5))
    def test_balanced_accuracy(self, seed):
        rng = np.random.default_rng(seed)
        truth, predicted = rng.integers(0, 4, (2, 50))
        expected = balanced_accuracy_score(truth, predicted)
        assert balanced_accuracy(confusion_matrix(truth, predicted)) == pytest.approx(expected)


def test_arrays_paths_and_a_folder_are_evaluated_alike(photos, readable, recipe, tmp_path):
    paths, arrays, labels = readable
    model = train(photos, recipe=recipe, out=tmp_path / "m.skops").model
    evaluation = evaluate(photos, model=tmp_path / "m.skops")
    assert [one.path for one in evaluation.refused] == [f"{photos}/b/note.txt"]
    assert evaluation.confusion.tolist() == confusion_matrix(labels, model.predict(paths)).tolist()
    for images in (paths, arrays, np.stack(arrays)):
        other = evaluate(images, y=labels, model=model)
        assert str(other) == str(evaluation)
        assert other.as_data() == {**evaluation.as_data(), "refused": []}
    merged = evaluate(paths, y=labels, model=model, labels={"a": ["a", "b"]})
    assert merged.confusion[0].sum() == 12


def test_classes_that_are_numbers(readable, recipe):
    paths, _, labels = readable
    numbers = [ord(label) for label in labels]
    model = train(paths, y=numbers, recipe=recipe).model
    assert model.classes_.tolist() == [97, 98]
    evaluation = evaluate(paths, y=numbers, model=model)
    assert evaluation.classes == ["97", "98"]
    assert evaluation.accuracy == np.mean(model.predict(paths) == numbers)


def test_objects_that_are_not_models(readable):
    paths, _, labels = readable
    assert message(evaluate, paths, y=labels, model=make_pipeline(pyramid(), GaussianNB())) == (
        "model: is not fitted. Fit it with featx.train, or with its method fit."
    )
    assert message(evaluate, paths, y=labels, model=GaussianNB(), kind=InputError) == (
        "model: must be a fitted Pipeline or a file, got GaussianNB()."
    )
