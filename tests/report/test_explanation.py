import base64
import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featx import (
    HOG,
    ConvNet,
    DenseSIFT,
    FisherVector,
    GramSVC,
    OrientedEdges,
    PatternMatch,
    PretrainedNet,
    ReadImages,
    Rectify,
    Sobel,
    SpatialPyramid,
    Stream,
    Summarize,
    load_recipe,
)
from featx.core.errors import ModelError, OutputError, RefusedImage
from featx.explanation.networks import activations
from featx.io import bundled
from featx.jobs.train import train
from featx.pipeline.fitting import split
from featx.pipeline.recipes import read_recipe
from featx.report.explanation import explain, write_explanation
from featx.report.hidden import hide
from featx.report.units import look_for, picture_of_unit


def draw(count=12, shape=(40, 48, 3)):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, *shape), np.uint8)
    images[::2, : shape[0] // 2] //= 3
    return images, np.array(["city", "landscape"])[np.arange(count) % 2]


@pytest.fixture
def photo(tmp_path):
    (image,), _ = draw(1)
    Image.fromarray(image).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def step_by_step(stages, image):
    """Return the output of each stage, computed without `Stream` and `explain`."""
    value, values = [image], []
    for stage in stages:
        value = stage.fit(value).transform(value)
        values.append(value[0])
    return values


def without_layers(explanation):
    """Return the stages' outputs without the layers of a network."""
    return [output for output in explanation.outputs if not output[0].startswith("layer ")]


def check_outputs(outputs, expected):
    assert len(outputs) == len(expected)
    for (_, found), wanted in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def check_written(explanation, folder):
    """Write a picture and a page, check that they can be read, and return the page."""
    write_explanation(explanation, folder / "out.PNG")
    with Image.open(folder / "out.PNG") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 100
        assert max(picture.size) < 6000
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10
    write_explanation(explanation, folder / "out.html")
    return (folder / "out.html").read_text(encoding="utf-8")


OF_IMAGES = [
    name for name in bundled.names("pipelines") if "ReadImages" in read_recipe(name).steps[0]
]


@pytest.mark.parametrize("name", OF_IMAGES)
def test_recipes(photo, tmp_path, name):
    pipeline = load_recipe(name)
    if name.startswith("transfer-"):
        pipeline.set_params(stream__readimages__size=(32, 32))
    explanation = explain(photo, pipeline)
    # For an unfitted recipe: the stages before the first trainable stage.
    fixed, _ = split(pipeline)
    outputs = without_layers(explanation)
    check_outputs(outputs, step_by_step(fixed.stages, photo))
    assert explanation.image == str(photo)
    assert [stage for stage, _ in outputs] == [
        " ".join(str(stage).split()) for stage in fixed.stages
    ]
    assert explanation.names == fixed.fit([photo]).get_feature_names_out().tolist()
    assert (explanation.prediction, explanation.scores) == (None, {})
    check_written(explanation, tmp_path)


def test_a_fitted_encoder(tmp_path):
    images, labels = draw(shape=(48, 56, 3))
    stages = [ReadImages(mode="gray"), DenseSIFT(bin_sizes=[4]), FisherVector(4)]
    model = train(images, y=labels, recipe=make_pipeline(Stream(stages), GramSVC())).model
    stages = model[0].stages
    explanation = explain(images[0], model)
    pixels, descriptors, vector = (values for _, values in explanation.outputs)
    assert pixels.shape == (48, 56, 1)
    (expected,) = stages[1].transform([pixels])
    np.testing.assert_array_equal(descriptors, expected)
    np.testing.assert_array_equal(vector, stages[2].transform([expected])[0])
    assert len(explanation.names) == len(vector) == 2 * 4 * 128
    assert explanation.prediction == model.predict(images[:1])[0]
    check_written(explanation, tmp_path)


def test_occlusion_map(tmp_path):
    images, labels = draw()
    images[::2, :20, :24] //= 8
    stages = [ReadImages(size=(32, 32), mode="gray"), SpatialPyramid(levels=[2])]
    model = train(images, y=labels, recipe=make_pipeline(Stream(stages), LinearSVC())).model
    explanation = explain(images[0], model)
    pixels = explanation.outputs[0][1]
    answer = list(model.classes_).index(explanation.prediction)
    expected = hide(pixels, stages[1:], model[1:], answer)
    np.testing.assert_array_equal(explanation.hidden.pixels, pixels)
    np.testing.assert_array_equal(explanation.hidden.falls, expected.falls)
    assert expected.falls.any()
    page = check_written(explanation, tmp_path)
    assert "<h2>Occlusion map</h2>" in page
    assert f"Red: occlusion decreases the score of {explanation.prediction}." in page
    assert page.count("data:image/png;base64,") == 2
    # An unfitted recipe has no prediction.
    assert explain(images[0], make_pipeline(Stream(stages), LinearSVC())).hidden is None


def test_units_come_last(tmp_path):
    images, labels = draw(shape=(16, 16, 3))
    net = ConvNet("lenet-5", epochs=1)
    model = train(images, y=labels, recipe=make_pipeline(Stream([ReadImages()]), net)).model
    explanation, unit = explain(images[0], model), look_for(model, "0:2")
    for suffix in ("png", "html"):
        write_explanation(explanation, tmp_path / f"without.{suffix}")
        write_explanation(explanation, tmp_path / f"with.{suffix}", [unit, unit])
    pages = [(tmp_path / f"{name}.html").read_text() for name in ("without", "with")]
    assert [page.count("<h2>Activation of units</h2>") for page in pages] == [0, 1]
    assert [page.count("data:image/png;base64,") for page in pages] == [3, 5]
    with Image.open(tmp_path / "without.png") as less, Image.open(tmp_path / "with.png") as more:
        assert more.height == less.height + 2 * Image.open(BytesIO(picture_of_unit(unit))).height


def test_a_network(tmp_path):
    images, labels = draw(shape=(20, 24, 3))
    net = ConvNet("lenet-5", epochs=1)
    model = train(
        images, y=labels, recipe=make_pipeline(Stream([ReadImages(size=(16, 18))]), net)
    ).model
    explanation = explain(images[0], model)
    answer = model.predict(images[:1])[0]
    assert [stage for stage, _ in explanation.outputs][1:] == [
        "layer 0",
        "layer 3",
        f"Grad-CAM of {answer}",
        "scores",
    ]
    maps = activations(model[-1], explanation.outputs[0][1])
    for layer, place in (("0", 1), ("3", 2)):
        np.testing.assert_array_equal(explanation.outputs[place][1], maps[layer])
    assert explanation.outputs[3][1].shape == (16, 18, 1)
    assert explanation.prediction == answer
    assert list(explanation.as_data()["features"]) == list(model.classes_)
    page = check_written(explanation, tmp_path)
    assert "<h1>Network</h1>" in page
    assert "<tr><td>0<td>Conv2d<td>6 x 16 x 18<td>456<td>1,492,992</tr>" in page
    assert "not used" not in page


def test_a_network_without_filters(tmp_path):
    images, labels = draw(shape=(8, 8, 3))
    net = ConvNet("two-layer", {"hidden": 5}, epochs=1)
    model = train(images, y=labels, recipe=make_pipeline(Stream([ReadImages()]), net)).model
    explanation = explain(images[0], model)
    assert [stage for stage, _ in explanation.outputs] == ["ReadImages()", "scores"]
    page = check_written(explanation, tmp_path)
    assert "Filters of the first layer" not in page
    assert "<tr><td>1<td>Linear<td>5<td>965<td>960</tr>" in page


def test_a_network_before_a_classifier():
    images, labels = draw(shape=(16, 16, 3))
    net = ConvNet("lenet-5", epochs=1)
    steps = make_pipeline(Stream([ReadImages()]), net, LogisticRegression())
    model = train(images, y=labels, recipe=steps).model
    explanation = explain(images[0], model)
    stages = [stage for stage, _ in explanation.outputs]
    assert stages == ["ReadImages()", "layer 0", "layer 3", "ConvNet(epochs=1)"]
    np.testing.assert_array_equal(explanation.outputs[-1][1], model[:-1].transform(images[:1])[0])
    assert explanation.names == model[1].get_feature_names_out().tolist()
    assert explanation.prediction == model.predict(images[:1])[0]
    assert explanation.network.parameters == sum(map(np.size, model[1].weights_.values()))


@pytest.mark.parametrize("recipe", ["transfer-logistic", "transfer-kernel-svm"])
def test_a_pretrained_network(tmp_path, recipe):
    images, labels = draw()
    pipeline = load_recipe(recipe).set_params(stream__readimages__size=(32, 32))
    model = train(images, y=labels, recipe=pipeline).model
    explanation = explain(images[0], model)
    stages = dict(explanation.outputs)
    blocks = [f"layer _blocks.{number}" for number in range(16)]
    assert [*stages] == [
        "ReadImages(size=(32, 32))",
        "layer _conv_stem",
        *blocks,
        "layer _conv_head",
        f"Grad-CAM of {model.predict(images[:1])[0]}",
        "PretrainedNet()",
    ]
    pixels = stages["ReadImages(size=(32, 32))"]
    assert stages["layer _blocks.3"].shape == (4, 4, 40)
    np.testing.assert_allclose(
        stages["layer _blocks.3"].ravel(),
        PretrainedNet(layer="_blocks.3").transform([pixels])[0],
        atol=1e-4,
    )
    assert explanation.prediction == model.predict(images[:1])[0]
    write_explanation(explanation, tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert "<h2>Filters of the first layer</h2>" in page
    # 32 maps of 16 x 16, from 32 x 32 pixels of 3 channels.
    assert "<tr><td>_conv_stem<td>Conv2dDynamicSamePadding<td>32 x 16 x 16<td>864" in page
    assert f"<td>864<td>{32 * 32 * 3 * 16 * 16 * 32:,}</tr>" in page
    assert "4,652,008 parameters" in page
    assert "The classification layer is not used." in page


def test_a_single_feature(photo, tmp_path):
    explanation = explain(photo, load_recipe("vertical-lines"))
    number = explanation.outputs[-1][1][0]
    name = "gray_sobel_vertical_line31_090_mean_square"
    assert str(explanation) == f"{name} = {number:.4g}"
    assert explanation.as_data() == {
        "image": str(photo),
        "stages": [stage for stage, _ in explanation.outputs],
        "features": {name: float(number)},
        "prediction": None,
        "scores": {},
    }
    page = check_written(explanation, tmp_path)
    assert f"<h1>{name} = {number:.4g}</h1>" in page
    assert f"<tr><td>{name}<td>{number:.6g}</tr>" in page
    assert "Prediction" not in page


@pytest.mark.parametrize(
    ("classifier", "method"), [(GaussianNB(), "predict_proba"), (LinearSVC(), "decision_function")]
)
def test_a_fitted_model(photo, tmp_path, classifier, method):
    images, labels = draw()
    stages = [ReadImages(size=(32, 32), mode="gray"), SpatialPyramid(levels=[2])]
    paths = [str(tmp_path / f"{index}.png") for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    model = train(
        paths, y=labels, recipe=make_pipeline(Stream(stages), StandardScaler(), classifier)
    ).model
    explanation = explain(photo, model)
    check_outputs(explanation.outputs, step_by_step(stages, photo))
    assert explanation.prediction == model.predict([photo])[0]
    scores = getattr(model, method)([photo])[0]
    expected = [-scores, scores] if np.ndim(scores) == 0 else scores
    assert list(explanation.scores) == ["city", "landscape"]
    np.testing.assert_array_equal(list(explanation.scores.values()), expected)
    assert str(explanation).endswith(f"; prediction: {explanation.prediction}")
    page = check_written(explanation, tmp_path)
    assert "<h2>Prediction</h2>" in page
    for name, score in explanation.scores.items():
        assert f"<tr><td>{name}<td>{score:.4g}</tr>" in page


def test_few_features(photo, tmp_path):
    stages = [ReadImages(mode="gray"), OrientedEdges(4), Summarize(statistics=["mean", "maximum"])]
    pipeline = make_pipeline(Stream(stages), LogisticRegression())
    explanation = explain(photo, pipeline)
    assert str(explanation) == "8 features"
    page = check_written(explanation, tmp_path)
    for name, number in zip(explanation.names, explanation.outputs[-1][1], strict=True):
        assert f"<tr><td>{name}<td>{number:.6g}</tr>" in page


def test_many_features(photo, tmp_path):
    explanation = explain(photo, make_pipeline(Stream([ReadImages(size=(64, 64)), HOG()])))
    count = len(explanation.outputs[-1][1])
    assert str(explanation) == f"{count} features"
    assert len(explanation.as_data()["features"]) == count > 1000
    assert check_written(explanation, tmp_path).count("<tr>") == count


def test_too_many_features_for_a_page(photo, tmp_path):
    stages = [ReadImages(size=(64, 64), mode="gray"), SpatialPyramid(levels=[64, 63, 62])]
    page = check_written(explain(photo, make_pipeline(Stream(stages))), tmp_path)
    assert "<p>11,909 features, too many to list." in page
    assert "<tr>" not in page


def test_maps_at_the_end(photo, tmp_path):
    stages = [ReadImages(mode="gray"), OrientedEdges(12)]
    explanation = explain(photo, make_pipeline(Stream(stages)))
    assert str(explanation) == "maps of 40 x 48 x 12"
    assert explanation.as_data()["features"] is None
    assert "Features" not in check_written(explanation, tmp_path)


def test_a_trainable_stage_ends_the_explanation(photo, tmp_path):
    stages = [ReadImages(size=(32, 32)), SpatialPyramid(levels=[2]), StandardScaler()]
    explanation = explain(photo, make_pipeline(Stream(stages), GaussianNB()))
    check_outputs(explanation.outputs, step_by_step(stages[:2], photo))
    check_written(explanation, tmp_path)


def test_a_union(photo, tmp_path):
    match = PatternMatch(pattern="line", length=7, orientation=90, padding="reflect")
    lines = make_pipeline(match, Rectify())
    union = FeatureUnion([("lines", lines), ("edges", Rectify())])
    stages = [ReadImages(mode="gray"), Sobel(), union, Summarize(statistics=["mean"])]
    explanation = explain(photo, make_pipeline(Stream(stages)))
    read, edges = step_by_step(stages[:2], photo)
    match, rectified = step_by_step([step for _, step in lines.steps], edges)
    (other,) = step_by_step([Rectify()], edges)
    both = np.concatenate([rectified, other], axis=2)
    (last,) = step_by_step([Summarize(statistics=["mean"])], both)
    check_outputs(explanation.outputs, [read, edges, match, rectified, other, both, last])
    assert explanation.outputs[5][0] == "concatenation"
    assert (
        explanation.names
        == make_pipeline(Stream(stages))[0].fit([photo]).get_feature_names_out().tolist()
    )
    check_written(explanation, tmp_path)


def test_a_single_feature_of_a_fitted_model(tmp_path):
    images, labels = draw()
    stages = [ReadImages(mode="gray"), Sobel(), Summarize(statistics=["mean_square"])]
    pipeline = make_pipeline(Stream(stages), StandardScaler(), LogisticRegression())
    model = train(images, y=labels, recipe=pipeline).model
    explanation = explain(images[0], model)
    scaler, classifier = model[1], model[2]
    where = (0 - classifier.intercept_[0]) / classifier.coef_[0, 0]
    assert explanation.threshold == pytest.approx(scaler.mean_[0] + scaler.scale_[0] * where)
    number = explanation.outputs[-1][1][0]
    rises = classifier.coef_[0, 0] > 0
    above = "landscape" if rises else "city"
    assert (explanation.prediction == above) == (number > explanation.threshold)
    page = check_written(explanation, tmp_path)
    assert "The only feature is mean(V²), where V is the last map." in page
    assert explanation.hidden is None  # the last map explains the prediction
    assert f"The decision threshold is {explanation.threshold:.4g}." in page


def test_several_images(tmp_path):
    images, _ = draw(3)
    explained = [explain(image, load_recipe("vertical-lines")) for image in images]
    page = check_written(explained, tmp_path)
    assert page.count("<section>") == page.count("data:image/png;base64,") == 3
    for one in explained:
        assert f"<h1>{one}</h1>" in page
    with Image.open(tmp_path / "out.PNG") as picture:
        together = picture.size
    write_explanation(explained[0], tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as picture:
        assert together == (picture.width, 3 * picture.height)


@pytest.mark.parametrize(
    ("stages", "place", "seen"),
    [
        ([OrientedEdges(8)], 1, "hue: orientation"),
        ([DenseSIFT(step=8)], 1, "descriptors"),
        ([HOG(pixels_per_cell=(8, 8))], 1, "strokes: edge orientations per cell"),
    ],
)
def test_drawings(photo, tmp_path, stages, place, seen):
    explanation = explain(photo, make_pipeline(Stream([ReadImages(mode="gray"), *stages])))
    assert list(explanation.drawings) == [place]
    assert seen in explanation.drawings[place][0]
    check_written(explanation, tmp_path)


@pytest.mark.parametrize("shape", [(40, 48, 1), (40, 48, 3), (3, 300, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_arrays(tmp_path, shape, dtype):
    (image,), _ = draw(1, shape)
    image = image if dtype == np.uint8 else (image / 255).astype(dtype)
    stages = [Sobel(), Summarize(statistics=["mean"])]
    explanation = explain(image, make_pipeline(Stream(stages)))
    check_outputs(explanation.outputs, step_by_step(stages, image))
    assert explanation.image == "the image"
    check_written(explanation, tmp_path)


def test_zero_maps(tmp_path):
    image = np.full((20, 20, 1), 7, np.uint8)
    check_written(explain(image, make_pipeline(Stream([Sobel(), Summarize()]))), tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        b"<script>alert(1)<script>.png",
        b"a$b\\frac{$.png",
        b"$x_1^2$.png",
        "写真 😀.png".encode(),
        b"\xff\n.png",
        b"x" * 250 + b".png",
    ],
)
def test_hostile_names(photo, tmp_path, name):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
    Path(path).write_bytes(photo.read_bytes())
    explanation = explain(path, load_recipe("edges-alone"))
    assert explanation.image == os.fsencode(path).decode("utf-8", "backslashreplace")
    page = check_written(explanation, tmp_path)
    assert "<script" not in page


def test_the_page_shows_the_picture(photo, tmp_path):
    page = check_written(explain(photo, load_recipe("edges-alone")), tmp_path)
    content = page.split('src="data:image/png;base64,')[1].split('"')[0]
    inside = BytesIO(base64.b64decode(content))
    with Image.open(inside) as shown, Image.open(tmp_path / "out.PNG") as picture:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(picture))


def test_errors(photo, tmp_path):
    explanation = explain(photo, load_recipe("edges-alone"))
    before = sorted(tmp_path.iterdir())
    for name in ("out.jpg", "out"):
        with pytest.raises(OutputError) as error:
            write_explanation(explanation, tmp_path / name)
        assert str(error.value) == f"{tmp_path}/{name}: the name must end in .png or .html."
    with pytest.raises(OutputError) as error:
        write_explanation(explanation, photo / "out.png")
    assert str(error.value) == (f"{photo}/out.png: cannot be written: a parent folder is a file.")
    with pytest.raises(RefusedImage) as refused:
        explain(tmp_path / "nowhere.png", load_recipe("edges-alone"))
    assert str(refused.value) == f"{tmp_path}/nowhere.png: missing: the file does not exist."
    with pytest.raises(ModelError) as refused:
        explain(photo, make_pipeline(LinearSVC()))
    assert str(refused.value) == (
        "The first step of the pipeline must be a Stream, got LinearSVC()."
    )
    assert sorted(tmp_path.iterdir()) == before
