import cv2
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from featx import (
    LLC,
    VLAD,
    BagOfWords,
    ConvNet,
    DenseHOG,
    DensePatches,
    DenseSIFT,
    FisherVector,
    GramSVC,
    KernelMap,
    SpatialPyramid,
    Stream,
    SuperVector,
)
from featx.core.descriptor_sets import DescriptorSet
from featx.core.stage import Requirements
from featx.explanation.attribution import SIDE, attribute, class_weights, spread
from featx.pipeline.fitting import class_scores

PYRAMID = [(1, 1), (2, 2)]


def drawn(classes=3, count=18, side=32, channels=1):
    """Draw noise that has stripes of a class's width in the upper half."""
    rng = np.random.default_rng(0)
    places = np.arange(count) % classes
    images = rng.integers(100, 130, (count, side, side, channels), np.uint8)
    for image, place in zip(images, places, strict=True):
        image[: side // 2, :: 2 + 2 * place] //= 2
    return images, np.array([*"abc"])[places]


def encoded(encoder, *steps, describe=None):
    return make_pipeline(Stream([describe or DenseSIFT(step=4, bin_sizes=[3]), encoder]), *steps)


MODELS = {
    "fisher": encoded(FisherVector(3, n_components=8, pyramid=PYRAMID), GramSVC(10)),
    "bag": encoded(
        BagOfWords(6, pyramid=PYRAMID, norm="l1"),
        KernelMap(kernel="intersection", order=2),
        GramSVC(100),
    ),
    "soft": encoded(BagOfWords(6, assignment="soft"), KernelMap(), LogisticRegression()),
    "llc": encoded(LLC(6, n_neighbors=2, pyramid=PYRAMID), StandardScaler(), LinearSVC()),
    "vlad": encoded(VLAD(3, append_position=1.0), LinearSVC(), describe=DenseHOG(cell_sizes=[4])),
    "super": encoded(SuperVector(3), LinearSVC()),
    "union": make_pipeline(
        Stream(
            [
                FeatureUnion(
                    [
                        ("one", make_pipeline(DenseSIFT(bin_sizes=[3]), FisherVector(2))),
                        ("two", make_pipeline(DensePatches(step=4), BagOfWords(5))),
                    ]
                )
            ]
        ),
        GramSVC(10),
    ),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_what_is_drawn_adds_up_to_the_score(name, classes):
    images, labels = drawn(classes)
    model = MODELS[name].fit(images, labels)
    vectors = model[0].transform(images[:3])
    scores = model[1:].decision_function(np.concatenate([vectors, np.zeros_like(vectors[:1])]))
    scores = scores.reshape(4, -1)
    if classes == 2:
        scores = np.concatenate([-scores, scores], axis=1)
    beyond = scores[:3] - scores[3]
    beyond -= beyond.mean(axis=1, keepdims=True)
    for answer in range(classes):
        maps, reason = attribute(model, images[:3], [answer] * 3)
        assert reason == ""
        assert maps.shape == (3, SIDE, SIDE)
        np.testing.assert_allclose(
            maps.sum(axis=(1, 2)), beyond[:, answer], rtol=1e-3, atol=1e-3 * np.abs(beyond).max()
        )


def test_what_differs_speaks():
    images, labels = drawn(2)
    model = encoded(BagOfWords(8), LinearSVC()).fit(images, labels)
    answers = np.searchsorted(model.classes_, model.predict(images)).tolist()
    maps, _ = attribute(model, images, answers)
    upper, lower = maps[:, : SIDE // 2].sum(axis=(1, 2)), maps[:, SIDE // 2 :].sum(axis=(1, 2))
    assert (upper > np.abs(lower)).mean() > 0.9


def test_a_network_has_grad_cam():
    from featx.explanation.networks import grad_cam

    images, labels = drawn(3)
    model = make_pipeline(ConvNet("lenet-5", epochs=1)).fit(images, labels)
    maps, reason = attribute(model, images[:2], [2, 0])
    assert reason == ""
    for drawn_map, image, answer in zip(maps, images, [2, 0], strict=False):
        expected = cv2.resize(grad_cam(model[-1], image, answer), (SIDE, SIDE))
        np.testing.assert_array_equal(drawn_map, expected)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            make_pipeline(ConvNet("two-layer", epochs=1)),
            "the network has no convolutional layer, which Grad-CAM requires",
        ),
        (
            encoded(BagOfWords(4), GaussianNB()),
            "the scores of GaussianNB are not linear in its input",
        ),
        (
            encoded(BagOfWords(4), SVC(kernel="linear")),
            "the scores of SVC are not linear in its input",
        ),
        (
            encoded(BagOfWords(4), PCA(2), LinearSVC()),
            "PCA combines entries of the encoded vectors",
        ),
        (
            make_pipeline(Stream([SpatialPyramid([2]), PCA(2)]), LinearSVC()),
            "the model has no encoder of local descriptors",
        ),
    ],
)
def test_why_nothing_is_drawn(model, expected):
    images, labels = drawn(3)
    maps, reason = attribute(model.fit(images, labels), images[:2], [0, 1])
    assert reason == expected
    assert maps.shape == (0, SIDE, SIDE)


def test_descriptors_without_places():
    images, labels = drawn(3)
    bare = [image.reshape(-1, 4).astype(np.float32) for image in images]
    model = make_pipeline(Stream([StandInSets(), BagOfWords(4)]), LinearSVC()).fit(bare, labels)
    assert attribute(model, bare[:1], [0])[1] == "the local descriptors have no positions"


class StandInSets(DenseSIFT):
    """Takes descriptors as they are."""

    takes = "descriptors"

    def _transform_one(self, image):
        return image

    def _requirements(self):
        return Requirements()


def test_class_weights_of_pairs_are_none():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), np.arange(30) % 3
    assert class_weights(SVC(kernel="linear").fit(x, y)) is None
    two = SVC(kernel="linear").fit(x, y > 0)
    np.testing.assert_array_equal(class_weights(two), two.coef_)
    assert class_scores(make_pipeline(two), x)[1].shape == (30, 2)


def test_spread():
    positions = np.array([[11.5, 23.5], [0.5, 0.5]], np.float32)
    found = DescriptorSet(np.zeros((2, 1)), positions, np.array([4, 8], np.float32), (48, 48), 2)
    parts = spread(found, np.array([32.0, -9.0]))
    expected = np.zeros((SIDE, SIDE))
    expected[8:16, 20:28] = 0.5
    expected[:9, :9] = -9 / 81  # what lies beyond the border is left out
    np.testing.assert_allclose(parts, expected, atol=1e-12)
    dots = spread(DescriptorSet(np.zeros((2, 1)), positions, None, (48, 48)), np.ones(2))
    assert dots.sum() == pytest.approx(2)
    assert (dots > 1e-9).sum() == 2
