from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from featx import Grayscale, SpatialPyramid, Stream
from featx.explanation.occlusion import occlusion
from featx.report.hidden import Hidden, hide, picture_of_hidden


def draw(count=20, light=150):
    """Return dark images; every other one has a bright upper left quarter."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (count, 32, 40, 3), np.uint8)
    images[::2, :16, :20] += light
    return images, np.array(["lamp", "night"])[np.arange(count) % 2]


def fitted(classifier, images, labels):
    stages = [Grayscale(), SpatialPyramid([2], "mean")]
    vectors = Stream(stages).fit_transform(images)
    return stages, make_pipeline(classifier).fit(vectors, labels)


def test_occlusion_of_a_linear_score():
    images, labels = draw()
    stages, classifier = fitted(LogisticRegression(), images, labels)
    hidden = hide(images[0], stages, classifier, 0)
    np.testing.assert_array_equal(hidden.pixels, images[0])
    assert hidden.falls.shape == (32, 40)
    lamp = hidden.falls[:16, :20]
    assert lamp.min() > 0
    assert lamp.mean() > 10 * np.abs(hidden.falls[16:, 20:]).mean()

    def score(pictures):
        return -classifier.decision_function(Stream(stages).fit_transform([*pictures]))

    mean = np.rint(images[0].mean(axis=(0, 1)))
    np.testing.assert_allclose(hidden.falls, occlusion(score, images[0], 8, 4, mean), atol=1e-6)
    # For two classes, the maps are negatives of each other.
    other = hide(images[0], stages, classifier, 1)
    np.testing.assert_allclose(other.falls, -hidden.falls, atol=1e-6)


@pytest.mark.parametrize("classifier", [GaussianNB(), KNeighborsClassifier(3)])
def test_classifiers_with_probabilities_only(classifier):
    # A weak light keeps the probabilities away from 0 and 1.
    images, labels = draw(light=1)
    stages, fit = fitted(classifier, images, labels)
    falls = hide(images[0], stages, fit, 0).falls

    def score(pictures):
        return fit.predict_proba(Stream(stages).fit_transform([*pictures]))[:, 0]

    mean = np.rint(images[0].mean(axis=(0, 1)))
    np.testing.assert_allclose(falls, occlusion(score, images[0], 8, 4, mean), atol=1e-6)
    assert 0.01 < np.abs(falls).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 200, 1), (40, 30, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_picture(shape, dtype):
    pixels = np.zeros(shape, dtype)
    falls = np.linspace(-1, 1, shape[0] * shape[1]).reshape(shape[:2])
    for drawn in (falls, 0 * falls):
        file = picture_of_hidden(Hidden(pixels, drawn.astype(np.float32)), "a $ \u4e2d")
        with Image.open(BytesIO(file)) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 300


@pytest.mark.parametrize("largest", [1.0, 1.234e-38, 1.234e38])
def test_text_stays_within_the_picture(monkeypatch, largest):
    figures = []
    monkeypatch.setattr("featx.report.hidden.figure_png", figures.append)
    falls = np.full((32, 32), largest, np.float32)
    picture_of_hidden(Hidden(np.zeros((32, 32, 3), np.uint8), falls), "a long name " * 12)
    (figure,) = figures
    figure.draw_without_rendering()
    texts = [*figure.texts, *(axis.title for axis in figure.axes)]
    assert len(texts) == 3
    for text in texts:
        box = text.get_window_extent()
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
