from copy import deepcopy

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featx import (
    HOG,
    BagOfWords,
    ConvNet,
    DenseSIFT,
    PretrainedNet,
    ReadImages,
    Stream,
    load_recipe,
)
from featx.core.errors import InputError, ModelError, OutputError
from featx.jobs.explain import explain
from featx.jobs.train import train
from featx.report import explanation
from featx.report.units import look_for


def message(function, *arguments, kind=InputError, **keywords):
    with pytest.raises(kind) as error:
        function(*arguments, **keywords)
    return str(error.value)


def same(found, expected):
    assert found.as_data() == expected.as_data()
    for (stage, value), (other_stage, other) in zip(found.outputs, expected.outputs, strict=True):
        assert stage == other_stage
        np.testing.assert_array_equal(value, other)


def test_paths_and_arrays_are_explained_alike(readable, recipe, tmp_path):
    paths, arrays, _ = readable
    told = []
    found = explain(
        paths[:2], recipe=recipe, out=tmp_path / "out.png", progress=lambda *n: told.append(n)
    )
    assert told == [(1, 0), (1, 0)]
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.format == "PNG"
    expected = [explanation.explain(path, load_recipe(recipe)) for path in paths[:2]]
    for one, other in zip(found.images, expected, strict=True):
        same(one, other)
    assert str(found) == "\n".join(f"{tmp_path}/out.png: {one}" for one in expected)
    assert found.as_data() == {"images": [one.as_data() for one in expected]}
    # A single image, as a path or an array, and a batch.
    for images in (paths[0], arrays[0], arrays[:1], np.stack(arrays[:1])):
        (one,) = explain(images, recipe=recipe).images
        assert str(one) == str(expected[0])
        for (_, value), (_, other) in zip(one.outputs, expected[0].outputs, strict=True):
            np.testing.assert_array_equal(value, other)


def test_a_model_and_its_file(photos, readable, recipe, tmp_path):
    paths, _, _ = readable
    model = train(photos, recipe=recipe, out=tmp_path / "m.skops").model
    for given in (model, tmp_path / "m.skops"):
        found = explain(paths[0], model=given)
        assert found.as_data() == explanation.explain(paths[0], model).as_data()
        assert found.images[0].prediction == model.predict(paths[:1])[0]


def test_units(readable, tmp_path):
    paths, _, labels = readable
    stream = Stream([ReadImages(size=(16, 16), mode="gray")])
    model = train(paths, y=labels, recipe=make_pipeline(stream, ConvNet("lenet-5", epochs=1))).model
    note = tmp_path / "photos" / "b" / "note.txt"
    found = explain(paths[0], model=model, unit="0:1", among=[*paths, note])
    (unit,) = found.units
    assert unit.as_data() == look_for(model, "0:1", paths).as_data()
    assert [one.path for one in found.refused] == [str(note)]
    assert found.as_data()["units"] == [unit.as_data()]
    assert len(explain(paths[0], model=model, unit=["0:1", "3:2"]).units) == 2


RECIPES = {
    "vectors": [ReadImages(size=(32, 32), mode="gray"), HOG(pixels_per_cell=(8, 8))],
    "words": [ReadImages(size=(32, 32), mode="gray"), DenseSIFT(), BagOfWords(n_words=3)],
    "network": [ReadImages(size=(32, 32)), PretrainedNet()],
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("job", [explain, lambda image, recipe: explanation.explain(image, recipe)])
def test_the_callers_recipe_stays_unfitted(readable, name, job):
    paths, _, _ = readable
    stages = deepcopy(RECIPES[name])
    pipeline = make_pipeline(Stream(stages), LogisticRegression())
    parts = [pipeline[0], *stages, pipeline[-1]]
    before = [deepcopy(vars(part)) for part in parts]
    job(paths[0], recipe=pipeline)
    for part, known in zip(parts, before, strict=True):
        assert [*vars(part)] == [*known]
        assert not [key for key in vars(part) if key.endswith("_") and not key.startswith("_")]


@pytest.mark.parametrize("name", ["vectors", "words"])
@pytest.mark.parametrize("role", ["recipe", "model"])
def test_a_fitted_pipeline_is_unchanged(readable, name, role):
    paths, _, labels = readable
    pipeline = make_pipeline(Stream(deepcopy(RECIPES[name])), LogisticRegression())
    pipeline.fit(paths, labels)
    before, predicted = joblib.hash(pipeline), pipeline.predict_proba(paths)
    # An image of another size: fitting to it would change the model.
    explain(np.zeros((40, 50, 3), np.uint8), **{role: pipeline})
    assert joblib.hash(pipeline) == before
    np.testing.assert_array_equal(pipeline.predict_proba(paths), predicted)


def test_errors(readable, recipe, tmp_path):
    paths, _, _ = readable
    both = {"recipe": recipe, "model": "m.skops"}
    for given in ({}, both):
        assert message(explain, paths[0], **given) == (
            "explain: needs either a recipe or a model. Pass one of them."
        )
    assert message(explain, paths[0], recipe=recipe, among=paths) == (
        'explain: among needs a unit. Pass one, such as unit="_fc:130".'
    )
    assert message(explain, [], recipe=recipe) == "images: is empty. Pass at least one image."
    assert message(explain, paths[0], model=load_recipe(recipe), kind=ModelError) == (
        "model: is not fitted. Fit it with featx.train, or with its method fit."
    )
    out = tmp_path / "out.jpg"
    assert message(explain, paths[0], recipe=recipe, out=out, kind=OutputError) == (
        f"{out}: the name must end in .png or .html."
    )
    assert not out.exists()
