import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featx import HOG, ColorSpace, ScoreSum, SpatialPyramid, Stream
from featx.classifiers.score_sum import _likeliest_weights


def scenes(count=60):
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3, count)
    images = rng.random((count, 32, 32, 3), np.float32)
    images[numbers == 0, ::8] += 0.6
    images[numbers == 1, :, :, 0] += 0.15
    return np.clip(images, 0, 1), np.array(["lines", "red", "noise"])[numbers]


def pipelines():
    edges = Stream([HOG(pixels_per_cell=(16, 16), cells_per_block=(1, 1))])
    colors = Stream([ColorSpace("opponent"), SpatialPyramid([2])])
    return [
        ("edges", make_pipeline(edges, StandardScaler(), LinearSVC(C=0.01))),
        ("colors", make_pipeline(colors, StandardScaler(), LinearSVC(C=0.01))),
    ]


@pytest.mark.parametrize("classes", [2, 3])
def test_the_sum_is_that_of_the_pipelines(classes):
    images, labels = scenes()
    if classes == 2:
        images, labels = images[labels != "noise"], labels[labels != "noise"]
    found = ScoreSum(pipelines(), n_jobs=2).fit(images, labels)
    scores = []
    for _, pipeline in pipelines():
        one = pipeline.fit(images, labels).decision_function(images)
        scores.append(np.stack([-one, one], 1) / 2 if classes == 2 else one)
    expected = sum(weight * score for weight, score in zip(found.weights_, scores, strict=True))
    np.testing.assert_allclose(found.decision_function(images), expected, rtol=1e-5, atol=1e-6)
    assert found.predict(images).tolist() == found.classes_[expected.argmax(1)].tolist()
    assert found.weights_.mean() == pytest.approx(1)
    assert found.n_features_in_ == 4 * 9 + 4 * 3


def test_weights_come_from_inner_folds():
    images, labels = scenes()
    found = ScoreSum(pipelines(), folds=4, random_state=3).fit(images, labels)
    numbers = np.unique(labels, return_inverse=True)[1]
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    scores = np.stack(
        [
            cross_val_predict(
                clone(pipeline), images, numbers, cv=folds, method="decision_function"
            )
            for _, pipeline in pipelines()
        ]
    )
    np.testing.assert_allclose(found.weights_, _likeliest_weights(scores, numbers), rtol=1e-5)


def test_scores_that_say_nothing_get_no_weight():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3, 300)
    telling = np.eye(3)[numbers] + rng.normal(size=(300, 3)) / 2
    weights = _likeliest_weights(np.stack([telling, rng.normal(size=(300, 3))]), numbers)
    assert weights[0] > 1.9
    assert weights[1] < 0.1
    np.testing.assert_array_equal(_likeliest_weights(np.zeros((2, 300, 3)), numbers), [1, 1])


def test_a_sum_can_be_kept():
    images, labels = scenes()
    fitted = ScoreSum(pipelines()).fit(images, labels)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.decision_function(images), fitted.decision_function(images))


@pytest.mark.parametrize(
    ("labels", "said"),
    [("aaaa", "1 classes, the rarest with 4"), ("aaab", "2 classes, the rarest with 1")],
)
def test_a_sum_needs_images_of_every_class_in_every_fold(labels, said):
    with pytest.raises(ValueError) as error:
        ScoreSum(pipelines()).fit(scenes(4)[0], [*labels])
    assert str(error.value) == (
        f"ScoreSum: 3 inner folds require at least two classes of 3 images each, got {said}."
    )
