"""Attributions and embeddings of learned features in the HTML report."""

import re

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from featx import BagOfWords, ConvNet, DenseSIFT, ReadImages, Stream
from featx.evaluation.cache import Cache
from featx.evaluation.comparison import compare
from featx.explanation.attribution import SIDE, attribute
from featx.report.page import _kept, page

READ, SIFT = ReadImages(mode="gray"), DenseSIFT(step=8, bin_sizes=[3])
RECIPES = {
    "bag": make_pipeline(Stream([READ, SIFT, BagOfWords(6)]), LinearSVC()),
    "bayes": make_pipeline(Stream([READ, SIFT, BagOfWords(6)]), GaussianNB()),
    "net": make_pipeline(Stream([READ]), ConvNet("lenet-5", epochs=1)),
    "nothing": make_pipeline(Stream([READ]), ConvNet("two-layer", epochs=1)),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    labels = np.array([*"abc"])[np.arange(60) % 3]
    images = rng.integers(100, 150, (60, 32, 32, 1), np.uint8)
    for place, image in enumerate(images):
        image[:, :: 2 + place % 3] //= 2
    return images, labels


@pytest.fixture(scope="module")
def comparison(drawn, cache):
    return compare(RECIPES, *drawn, folds=2, cache=cache)


@pytest.fixture(scope="module")
def parts(comparison):
    """Return the HTML of each recipe's article."""
    text = " ".join(page(comparison).split())
    found = re.findall(r'<article id="[^"]*" data-recipe="([^"]*)".*?</article>', text)
    articles = re.findall(r"<article .*?</article>", text)
    return dict(zip(found, articles, strict=True))


def test_attributions_use_the_model_of_the_test_fold(comparison, drawn):
    images, labels = drawn
    result = comparison["bag"]
    assert len(result.attributed) == len(set(result.attributed)) >= 4
    assert result.attributions.shape == (len(result.attributed), SIDE, SIDE)
    for place, found in zip(result.attributed, result.attributions, strict=True):
        train = comparison.folds != comparison.folds[place]
        stream, classifier = RECIPES["bag"]
        model = make_pipeline(Stream(stream.stages[1:]), classifier)
        model.fit(images[train], labels[train])
        answer = comparison.classes.index(result.predictions[place])
        expected, _ = attribute(model, images[place : place + 1], [answer])
        np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=1e-6)


def test_learned_features_have_pictures_and_a_map(parts):
    assert "The score is a sum over the local descriptors" in parts["bag"]
    assert "gallery large" in parts["bag"]
    for name in ("bag", "bayes"):
        assert "The images are test images of the first fold" in parts[name]


def test_networks_have_grad_cam(parts):
    assert "Grad-CAM: red regions increase the score" in parts["net"]
    assert "gallery large" in parts["net"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bayes", "the scores of GaussianNB are not linear in its input"),
        ("nothing", "the network has no convolutional layer, which Grad-CAM requires"),
    ],
)
def test_reasons_without_attributions(parts, name, reason):
    assert f"Attributions are not available: {reason}." in parts[name]
    assert "gallery large" not in parts[name]


def test_cached_drawings_equal_new_ones(comparison, drawn, cache):
    first = page(comparison)
    entries = {file.name for file in cache.folder.iterdir()}
    assert any(name.startswith("drawing-") for name in entries)
    again = page(compare(RECIPES, *drawn, folds=2, cache=cache))
    assert again == first
    assert {file.name for file in cache.folder.iterdir()} == entries
    comparison.cache = None
    try:
        assert page(comparison) == first
    finally:
        comparison.cache = cache


def test_the_key_of_a_drawing_depends_on_its_parts(tmp_path):
    cache = Cache(tmp_path)
    assert _kept(cache, ("a", 1), lambda: {"text": "first"}) == {"text": "first"}
    assert _kept(cache, ("a", 1), lambda: {"text": "second"}) == {"text": "first"}
    assert _kept(cache, ("a", 2), lambda: {"text": "second"}) == {"text": "second"}
    assert _kept(None, ("a", 1), lambda: {"text": "third"}) == {"text": "third"}
