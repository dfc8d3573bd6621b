import sys
from importlib import import_module, invalidate_caches

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import FeatureUnion, Pipeline

from featx import HOG, Convolve, ImageStage, ReadImages, Sobel, Summarize
from featx.core.errors import StoreError
from featx.store.identity import as_steps, check_same

STAGE = """
from featx import ImageStage

class Scale(ImageStage):
    def __init__(self, factor=1.0):
        self.factor = factor

    def _transform_one(self, image):
        return {result}
"""


@pytest.fixture
def scale(tmp_path, monkeypatch):
    """Return a function that writes a module with a stage, and reimports it."""
    monkeypatch.syspath_prepend(tmp_path)

    # A file that is edited within a second has the time of the compiled one.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def scale(result="self.factor * image"):
        (tmp_path / "scaling.py").write_text(STAGE.format(result=result))
        sys.modules.pop("scaling", None)
        invalidate_caches()
        return import_module("scaling").Scale

    yield scale
    sys.modules.pop("scaling", None)


def difference(before, after):
    known = {"steps": as_steps(before), "recipe": "mine"}
    with pytest.raises(StoreError) as error:
        check_same("out", known, as_steps(after), "Hint", "Again")
    start, end = "out: contains features of another recipe, mine: ", ". Hint."
    assert str(error.value).startswith(start)
    assert str(error.value).endswith(end)
    return str(error.value)[len(start) : -len(end)]


def test_stages_as_steps():
    union = FeatureUnion(
        [
            ("sobel", Sobel(axis="vertical")),
            ("two", Pipeline([("a", Sobel()), ("b", Convolve(kernel=np.eye(2)))])),
        ]
    )
    assert as_steps([union]) == [
        {
            "union": [
                {"featx.Sobel": Sobel(axis="vertical").get_params()},
                [
                    {"featx.Sobel": Sobel().get_params()},
                    {"featx.Convolve": Convolve(kernel=[[1, 0], [0, 1]]).get_params()},
                ],
            ]
        }
    ]
    assert as_steps([ReadImages(size=(8, 9))])[0]["featx.ReadImages"]["size"] == [8, 9]
    assert as_steps([Sobel()]) != as_steps([Sobel(axis="both")])
    assert [*as_steps([PCA(2)])[0]] == ["sklearn.decomposition.PCA"]


def test_a_stage_of_the_user_has_its_public_name_and_its_code(scale):
    first, second = as_steps([scale()(2.0), HOG()])
    assert first == {"scaling.Scale": {"factor": 2.0}, "code": first["code"]}
    assert len(first["code"]) == 16
    assert [*second] == ["featx.HOG"]
    assert as_steps([scale()(2.0)]) == [first]
    changed = as_steps([scale("self.factor + image")(2.0)])[0]
    assert changed["scaling.Scale"] == {"factor": 2.0}
    assert changed["code"] != first["code"]


def test_differences():
    assert difference([Sobel()], [Sobel("both")]) == (
        'step 1, Sobel: axis is "vertical" in the store and "both" in this recipe'
    )
    assert difference([Sobel(), HOG()], [Sobel(), Summarize()]) == (
        "step 2 is HOG in the store and Summarize in this recipe"
    )
    assert difference([Sobel()], [Sobel(), HOG()]) == "step 2, HOG, is in this recipe only"
    assert difference([Sobel(), HOG()], [Sobel()]) == "step 2, HOG, is in the store only"


def test_the_difference_is_in_the_code(scale):
    old, new = scale(), scale("self.factor + image")
    assert difference([Sobel(), old()], [Sobel(), new()]) == (
        "step 2: the code of scaling.Scale has changed"
    )
    unions = [FeatureUnion([("a", one()), ("b", Pipeline([("c", HOG())]))]) for one in (old, new)]
    assert difference(unions[:1], unions[1:]) == "step 1: the code of scaling.Scale has changed"
    # A difference in parameters takes precedence.
    assert difference([old(1.0)], [new(2.0)]) == (
        "step 1, scaling.Scale: factor is 1.0 in the store and 2.0 in this recipe"
    )


def test_a_stage_of_the_user_is_no_other_of_the_same_name(scale):
    class Scale(ImageStage):
        def __init__(self, factor=1.0):
            self.factor = factor

    assert difference([scale()()], [Scale()]) == (
        f"step 1 is scaling.Scale in the store and {__name__}."
        "test_a_stage_of_the_user_is_no_other_of_the_same_name.<locals>.Scale in this recipe"
    )
