"""The checks of the contract find what breaks it."""

import numpy as np
import pytest

from featx.core.constraints import positive
from featx.core.errors import InputError
from featx.core.stage import ImageStage, Requirements
from featx.testing import check_stage, stage_checks


class Contrast(ImageStage):
    """The standard deviation of each channel: a stage that keeps the contract."""

    gives = "vectors"
    _parameter_constraints = {"factor": [positive]}  # noqa: RUF012 - as users write it

    def __init__(self, factor=1.0):
        self.factor = factor

    def _transform_one(self, image):
        return np.float32(self.factor) * image.std(axis=(0, 1))

    def _feature_names(self, channels, shape):
        return [f"{channel}_contrast" for channel in channels]


class Changes(Contrast):
    def _transform_one(self, image):
        image -= image.mean()
        return image.std(axis=(0, 1))


class Doubles(Contrast):
    def _transform_one(self, image):
        return image.std(axis=(0, 1)).astype(np.float64)


class DependsOnOthers(Contrast):
    def _transform_batch(self, images):
        results = np.stack([image.std(axis=(0, 1)) for image in images])
        return list(results - results.mean(axis=0))


class Converts(Contrast):
    def __init__(self, factor=1.0):
        self.factor = float(factor) + 0.0


class NamesTooFew(Contrast):
    def _feature_names(self, channels, shape):
        return ["contrast"]


class NamesTwice(Contrast):
    def _feature_names(self, channels, shape):
        return ["contrast"] * len(channels)


class Views(ImageStage):
    def _transform_one(self, image):
        return image


class NotFinite(ImageStage):
    def _transform_one(self, image):
        return np.divide(1, image, out=np.full_like(image, np.inf), where=image > 0.5)


class TooSmall(Contrast):
    """Requires less than it needs."""

    def _transform_one(self, image):
        if min(image.shape[:2]) < 4:
            raise InputError("TooSmall: the image is small.")
        return super()._transform_one(image)


class Remembers(Contrast):
    """Keeps a state between images, which threads share."""

    def _transform_one(self, image):
        self.last_ = getattr(self, "last_", 0.0) + 1
        return np.float32(self.last_) * image.std(axis=(0, 1))


def test_a_stage_that_keeps_the_contract():
    results = check_stage(Contrast(2.0))
    assert {result.status for result in results} == {"passed"}
    assert len(results) == 2 * len({result.name for result in results})
    assert [name for name, _, _ in stage_checks(Contrast(), channels=(1,))] == list(
        dict.fromkeys(result.name for result in results)
    )


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (Changes(), "check_images_are_not_modified"),
        (Doubles(), "check_results"),
        (DependsOnOthers(), "check_batch_is_a_stack_of_singles"),
        (Converts(2), "check_parameters_are_stored"),
        (NamesTooFew(), "check_feature_names"),
        (NamesTwice(), "check_feature_names"),
        (Views(), "check_results"),
        (NotFinite(), "check_results"),
        (TooSmall(), "check_small_images"),
        (Remembers(), "check_batch_is_a_stack_of_singles"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_breaks_the_contract(stage, name):
    results = check_stage(stage, channels=(3,), on_fail="return")
    assert name in [result.name for result in results if result.status == "failed"]
    with pytest.raises(AssertionError):
        check_stage(stage, channels=(3,))


def test_failures_may_be_expected():
    failing = {
        result.name: "the stage is meant so"
        for result in check_stage(NamesTwice(), on_fail="return")
        if result.status == "failed"
    }
    results = check_stage(NamesTwice(), expected_failed_checks=failing)
    for result in results:
        assert result.status == "passed" or result.reason == "the stage is meant so"
    assert {result.name for result in results if result.status == "xfail"} == set(failing)
    with pytest.raises(ValueError) as caught:
        check_stage(Contrast(), expected_failed_checks={"check_nothing": "a typing error"})
    assert str(caught.value) == (
        "check_stage: unknown check 'check_nothing'. Did you mean check_tags?"
    )


def test_what_a_stage_requires():
    class Square(Contrast):
        def _requirements(self):
            return Requirements((5, 7), channels=(2,))

    failing = {"check_pickle": "a local class", "check_skops": "a local class"}
    results = check_stage(Square(), expected_failed_checks=failing)
    assert {result.status for result in results if result.name not in failing} == {"passed"}
