import base64
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image
from pyarrow import parquet
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from featx import ReadImages, SpatialPyramid, Stream, __version__
from featx.evaluation.comparison import compare
from featx.report.comparison import as_data, write_comparison

HOSTILE = "<script>alert(1)<script>.jpg"  # without a slash, which file names cannot contain


def pipeline():
    reading = ReadImages(size=(16, 16), mode="gray")
    return make_pipeline(Stream([reading, SpatialPyramid(levels=[2])]), GaussianNB())


def draw(count=24, shape=(20, 24, 3), dtype=np.uint8):
    rng = np.random.default_rng(0)
    labels = np.array(["a&b", "<i>"])[rng.permutation(np.arange(count) % 2)]
    images = rng.integers(0, 200, (count, *shape), np.uint8).astype(dtype)
    images[labels == "<i>", : shape[0] // 2] //= 2
    images[:3] = images[:3, ::-1]  # causes some errors
    return images, labels


@pytest.fixture
def compared(tmp_path):
    """Compare two pipelines on files; one pipeline and some files have hostile names."""
    images, labels = draw()
    paths = [str(tmp_path / f"{index:02}.png") for index in range(len(images))]
    paths[0] = str(tmp_path / HOSTILE)
    paths[1] = str(tmp_path / "<b>&\"'.png")
    paths[2] = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path, "png")
    Path(paths[3]).write_bytes(Path(paths[0]).read_bytes())
    labels[3] = labels[0]
    paths.append(str(tmp_path / "<broken>.png"))
    Path(paths[-1]).write_bytes(b"broken")
    recipes = {"pyramid": pipeline(), "<u>": pipeline()}
    return compare(recipes, paths, [*labels, "a&b"], folds=3)


@pytest.fixture
def written(compared, tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    write_comparison(compared, folder)
    return folder


def as_text(path):
    return os.fsencode(path).decode("utf-8", "backslashreplace")


FURTHER = ("measures", "cost", "failures", "learning_curve")


class Page(HTMLParser):
    """Parse the tags, texts and images of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.images, self.titles = set(), [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attributes))

    def handle_data(self, data):
        self.texts.append(data)


def test_files(written):
    names = sorted(path.name for path in written.iterdir())
    assert names == ["predictions.parquet", "report.html", "results.json"]


def test_results(written, compared):
    text = (written / "results.json").read_text(encoding="utf-8")
    results = json.loads(text)
    assert results == as_data(compared)
    assert (results["format"], results["featx_version"]) == (1, __version__)
    assert list(results) == [
        *("format", "featx_version"),
        *("protocol", "images", "classes", "recipes", "pairs", "remarks", "refused"),
        *("duplicates", "copies", "left_out"),
    ]
    assert results["protocol"] == "3-fold stratified cross-validation, seed 0"
    assert results["images"] == 24
    assert results["classes"] == ["<i>", "a&b"]
    assert list(results["recipes"]) == ["larger-class", "raw-pixels", "pyramid", "<u>"]
    for result in compared.results:
        found = results["recipes"][result.name]
        assert {key: found[key] for key in found if key not in FURTHER} == {
            "name": result.name,
            "title": result.title,
            "accuracy": result.accuracy,
            "accuracy_low": result.accuracy_low,
            "accuracy_high": result.accuracy_high,
            "balanced_accuracy": result.balanced_accuracy,
            "folds": result.folds,
            "milliseconds_per_image": result.milliseconds_per_image,
            "dimensions": result.dimensions,
            "confusion": result.confusion.tolist(),
        }
    (refused,) = compared.refused
    assert results["refused"] == [
        {"path": refused.path, "reason": "not-an-image", "detail": refused.detail}
    ]
    ((first, second),) = compared.duplicates
    assert results["duplicates"] == [[first, second]]
    assert results["copies"] == [{"image": first, "other": second, "kind": "same bytes"}]


def test_predictions(written, compared):
    table = parquet.read_table(written / "predictions.parquet")
    assert table.column_names == [
        *("recipe", "path", "label", "fold", "prediction", "kind", "score_<i>", "score_a&b")
    ]
    names = [as_text(path) for path in compared.images]
    assert table["path"].to_pylist() == names * 4
    assert table["recipe"].to_pylist() == [
        name for name in ("larger-class", "raw-pixels", "pyramid", "<u>") for _ in names
    ]
    assert table["label"].to_pylist() == compared.labels.tolist() * 4
    assert table["fold"].to_pylist() == compared.folds.tolist() * 4
    assert table["prediction"].to_pylist() == [
        name for result in compared.results for name in result.predictions.tolist()
    ]


def test_page(written, compared):
    source = (written / "report.html").read_text(encoding="utf-8")
    page = Page(source)
    best = max(compared.results, key=lambda result: result.accuracy)
    highest = f"Highest accuracy: {best.name} , {100 * best.accuracy:.1f} % of 24 images"
    assert highest in page.text
    protocol = "Protocol: 3-fold stratified cross-validation, seed 0."
    assert f"Classes: <i> , a&b . {protocol}" in page.text
    for result in compared.results:
        one = result.measures["accuracy"]
        interval = f"{100 * one.low:.1f}\u2013{100 * one.high:.1f}"
        assert f"{result.name} {result.title} {100 * one.value:.1f} {interval}" in page.text
        cost = result.cost
        assert (
            f"{cost.reading_milliseconds:.2f} {cost.features_milliseconds:.2f} "
            f"{cost.classifier_milliseconds:.3f} {cost.training_seconds:.2f} {result.dimensions}"
        ) in page.text
    for result in compared.results[1:]:
        (first, second), (third, fourth) = result.confusion.tolist()
        matrix = f"true \\ predicted <i> a&b <i> {first} {second} a&b {third} {fourth}"
        assert matrix in page.text
        folds = ", ".join(f"{100 * fold:.1f}" for fold in result.folds)
        assert f"Accuracy per fold: {folds} %." in page.text
    (refused,) = compared.refused
    assert f"Rejected images: 1 {refused.path} : not-an-image: {refused.detail}" in page.text
    assert "Duplicates: 1 group Duplicates share a fold" in page.text
    first, second = compared.duplicates[0]
    assert f"{first} , {second} : same bytes" in page.text
    for remark in compared.remarks:
        assert remark in page.text


def test_verdicts_on_the_page(written, compared):
    page = Page((written / "report.html").read_text(encoding="utf-8"))
    for result in compared.results:
        said = " ".join(
            compared.verdict(result.name, other.name) or "\u00b7" for other in compared.results
        )
        assert f"{result.name} {said}" in page.text


def test_page_is_self_contained_and_escaped(written):
    source = (written / "report.html").read_text(encoding="utf-8")
    page = Page(source)
    assert page.tags.isdisjoint({"link", "iframe", "u", "i", "broken"})
    assert source.count("<script") == 1
    assert not re.search(r"""(src|href)=(?!["']?(data:|#))""", source)
    assert "url(" not in source.replace("url(#", "")


def test_pictures(written, compared):
    page = Page((written / "report.html").read_text(encoding="utf-8"))
    thumbnails = [image for image in page.images if image.get("width") == "96"]
    result = compared["pyramid"]
    sure = result.scores.max(axis=1)
    wrong = np.flatnonzero(result.predictions != compared.labels)
    assert 0 < len(wrong) <= 12
    named = [as_text(compared.images[i]) for i in wrong[np.argsort(-sure[wrong], kind="stable")]]
    shown = [image["alt"] for image in thumbnails]
    places = [i for i in range(len(shown)) if shown[i : i + len(named)] == named]
    assert places
    for image in thumbnails:
        kind, content = image["src"].split(",")
        assert kind == "data:image/jpeg;base64"
        assert simplejpeg.decode_jpeg(base64.b64decode(content)).shape == (96, 96, 3)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((20, 24, 1), np.uint8),
        ((20, 24, 3), np.uint8),
        ((20, 24, 1), np.uint16),
        ((120, 24, 3), np.uint8),
        ((96, 96, 1), np.uint8),
    ],
)
def test_arrays(tmp_path, shape, dtype):
    images, labels = draw(24, shape, dtype)
    recipes = {"pyramid": make_pipeline(Stream([SpatialPyramid(levels=[2])]), GaussianNB())}
    check_thumbnails(compare(recipes, images, labels, folds=3), tmp_path, np.iinfo(dtype).max)


def test_arrays_of_floating_point(tmp_path):
    images, labels = draw(24, (96, 96, 1))
    images = (images / 255).astype(np.float32)
    recipes = {"pyramid": make_pipeline(Stream([SpatialPyramid(levels=[2])]), GaussianNB())}
    check_thumbnails(compare(recipes, images, labels, folds=3), tmp_path, 1)


def check_thumbnails(comparison, folder, white):
    write_comparison(comparison, folder)
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    table = parquet.read_table(folder / "predictions.parquet")
    assert table["path"].to_pylist() == [f"image {i}" for i in range(24)] * 3
    thumbnails = [image for image in page.images if image.get("width") == "96"]
    assert thumbnails
    for image in thumbnails:
        whole = comparison.images[int(image["alt"].removeprefix("image "))]
        pixels = simplejpeg.decode_jpeg(base64.b64decode(image["src"].split(",")[1]))
        assert pixels.shape == (96, 96, 3)
        if whole.shape[0] == whole.shape[1]:  # no padding: the mean is unchanged
            assert pixels.mean() == pytest.approx(whole.mean() * 255 / white, abs=2)


def test_maps_have_no_images_in_the_page(tmp_path):
    maps = np.random.default_rng(0).random((20, 8, 8, 2), dtype=np.float32)
    recipes = {"pyramid": make_pipeline(Stream([SpatialPyramid(levels=[2])]), GaussianNB())}
    write_comparison(compare(recipes, maps, ["a", "b"] * 10), tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.images == []


def test_many_classes(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 8, 8, 1), np.uint8)
    labels = [f"class {i % 50}" for i in range(200)]
    recipes = {"pyramid": make_pipeline(Stream([SpatialPyramid(levels=[2])]), GaussianNB())}
    comparison = compare(recipes, images, labels, folds=2)
    write_comparison(comparison, tmp_path)
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(source)
    assert "and 20 more" in page.text
    assert "Most frequent errors:" in page.text
    assert sum("Confusion matrix of 50 classes" in one["alt"] for one in page.images) == 2
    assert len(source) < 3_000_000


def test_a_test_set_with_duplicates(tmp_path):
    images, labels = draw(24)
    recipes = {"pyramid": make_pipeline(Stream([SpatialPyramid(levels=[2])]), GaussianNB())}
    compared = compare(recipes, images[:20], labels[:20], (images[18:], labels[18:]))
    write_comparison(compared, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Protocol: 20 training images, 4 test images." in page.text
    assert "Test images left out as duplicates of training images: 2." in page.text
    assert "image 18 , image 20 : same bytes" in page.text
    assert "per fold:" not in page.text


def test_no_rejected_images_and_no_duplicates(tmp_path):
    images, labels = draw(24)
    recipes = {"pyramid": make_pipeline(Stream([SpatialPyramid(levels=[2])]), GaussianNB())}
    write_comparison(compare(recipes, images, labels), tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Rejected" not in page.text
    assert "Duplicates" not in page.text
