from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featx import ConvNet, PretrainedNet, ReadImages, Stream, load_recipe
from featx.core.errors import ModelError
from featx.explanation.activation_maximization import maximize_activation
from featx.explanation.networks import most_exciting
from featx.jobs.train import train
from featx.report.units import look_for, picture_of_unit


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for number in range(12):
        pixels = rng.integers(0, 256, (20 + number, 24, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
        paths.append(str(tmp_path / f"{number:02}.png"))
    return paths


@pytest.fixture
def model(photos):
    net = ConvNet("lenet-5", epochs=1)
    pipeline = make_pipeline(Stream([ReadImages(size=(16, 16), mode="gray")]), net)
    return train(photos, y=["city", "sea"] * 6, recipe=pipeline).model


def check_picture(unit):
    with Image.open(BytesIO(picture_of_unit(unit))) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 300


def test_images_with_the_highest_activation(photos, model):
    net, images = model[-1], model[0].transform(photos)
    unit = look_for(model, "3:7", photos)
    assert unit.name == "layer 3, unit 7"
    np.testing.assert_array_equal(unit.climbed, maximize_activation(net, "3", 7))
    order = most_exciting(net, images, "3", 7)
    assert [name for name, _ in unit.images] == [photos[place] for place in order]
    for (_, picture), place in zip(unit.images, order, strict=True):
        np.testing.assert_array_equal(picture, images[place])
    assert unit.refused == []
    assert str(unit) == (
        f"layer 3, unit 7; highest activation: {', '.join(photos[i] for i in order)}"
    )
    assert unit.as_data() == {"unit": unit.name, "images": [photos[place] for place in order]}
    check_picture(unit)


def test_the_unit_of_a_class(model):
    layer = [name for name, _ in model[-1].network().named_modules()][-1]
    unit = look_for(model, f"{layer}:1")
    assert unit.name == f"layer {layer}, unit 1: sea"
    assert str(unit) == unit.name
    assert unit.images == []
    check_picture(unit)


def test_unreadable_images_are_left_out(tmp_path, photos, model):
    broken = str(tmp_path / "broken.png")
    Path(broken).write_bytes(b"nothing")
    unit = look_for(model, "0:0", [photos[0], broken, photos[1]])
    assert sorted(name for name, _ in unit.images) == photos[:2]
    assert [refused.path for refused in unit.refused] == [broken]
    assert look_for(model, "0:0", [broken]).images == []


def test_a_pretrained_network(photos):
    recipe = load_recipe("transfer-logistic").set_params(stream__readimages__size=(32, 32))
    unit = look_for(recipe, "_blocks.0:3", photos[:2])
    assert unit.climbed.shape == (160, 160, 3)
    net, images = PretrainedNet(), recipe[0].stages[0].transform(photos[:2])
    order = most_exciting(net, images, "_blocks.0", 3)
    assert [name for name, _ in unit.images] == [photos[place] for place in order]


def test_a_network_before_a_classifier(photos):
    net = ConvNet("lenet-5", epochs=1)
    stream = Stream([ReadImages(size=(16, 16), mode="gray")])
    steps = make_pipeline(stream, net, LogisticRegression())
    model = train(photos, y=["city", "sea"] * 6, recipe=steps).model
    np.testing.assert_array_equal(
        look_for(model, "0:1").climbed, maximize_activation(model[1], "0", 1)
    )


def test_failures(model):
    def fails(pipeline, unit, message):
        with pytest.raises(ModelError) as caught:
            look_for(pipeline, unit)
        assert str(caught.value) == message

    for unit in ("3", "3:", ":3", "3:-1", "3:x"):
        fails(model, unit, f"unit={unit!r} is not valid. Use LAYER:NUMBER, such as _fc:130.")
    fails(model, "3:16", "3:16: Layer 3 has units 0 to 15, got unit 16.")
    fails(
        load_recipe("hog-svm"),
        "3:1",
        "unit: the recipe has no network. Use one with a ConvNet or a PretrainedNet.",
    )
    fails(
        load_recipe("lenet-5"),
        "3:1",
        "ConvNet is not fitted. Train the recipe with featx train and use the model instead.",
    )
