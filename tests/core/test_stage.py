"""Tests of the base class with small stages; `test_contract.py` tests the public stages."""

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import cloudpickle
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion
from sklearn.utils import get_tags

from featx import Stream
from featx.core import stage as module
from featx.core.batches import LazyBatch
from featx.core.constraints import Array, Each, natural
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError, InvalidParameterError
from featx.core.stage import ImageStage, Requirements

IMAGES = np.random.default_rng(0).random((4, 5, 6, 3), np.float32)
WANTED = (
    "a batch of images, an array (n, height, width, channels) or a list of arrays "
    "(height, width, channels)"
)
WRAP = "For a single image, wrap it in a list: [image]. "
ADD_AXIS = "For several gray images, add the axis of channels: images[..., np.newaxis]."


class Scale(ImageStage):
    """Multiply by a factor, with an upper bound as the second parameter."""

    _parameter_constraints: ClassVar = {
        "factor": [natural, Array(1), Each(natural)],
        "limit": [natural, Each(natural)],
    }

    def __init__(self, factor=2, limit=10):
        self.factor = factor
        self.limit = limit

    def _requirements(self):
        if np.max(self.factor) > np.min(self.limit):
            raise InputError(f"Scale: factor must not be above limit, {self.limit}.")
        return Requirements()

    def _transform_one(self, image):
        return image * np.asarray(self.factor, np.float32)


class Means(ImageStage):
    gives = "vectors"

    def _transform_one(self, image):
        return image.mean(axis=(0, 1))


class Crop(ImageStage):
    """Crop to the number of rows given by the first value."""

    def _transform_one(self, image):
        return image[: int(image[0, 0, 0])].copy()


class Rows(ImageStage):
    """Return each row of pixels as a descriptor."""

    gives = "descriptors"

    def _transform_one(self, image):
        return DescriptorSet(image.reshape(len(image), -1), size=image.shape[:2])


class MeanDescriptor(ImageStage):
    takes, gives = "descriptors", "vectors"

    def _transform_one(self, given):
        assert isinstance(given, DescriptorSet)
        return given.values.sum(axis=0) / np.float32(max(len(given), 1))


class Ends(ImageStage):
    """Return the first and last sample of a signal."""

    takes, gives = "signals", "vectors"

    def _transform_one(self, signal):
        return signal[[0, -1]]


class Name(ImageStage):
    """Return the length of a path."""

    takes, gives = "paths", "vectors"

    def _transform_one(self, path):
        return np.float32([len(str(path))])

    def _feature_names(self, channels, shape):
        return ["length"]


class Center(ImageStage):
    """Subtract the mean of the images with the indices ``chosen``."""

    chosen = (0, 1)

    def _fit(self, images, y):
        assert isinstance(images, LazyBatch)
        self.count_, self.y_ = len(images), y
        self.mean_ = np.mean([*images.take(self.chosen)], axis=(0, 1, 2))

    def _transform_one(self, image):
        return image - self.mean_


def refusal(call, *arguments, error=ValueError):
    with pytest.raises(error) as caught:
        call(*arguments)
    return str(caught.value)


# Defaults of hooks.


def test_every_stage_transforms():
    class Bare(ImageStage):
        pass

    assert refusal(Bare().transform, IMAGES, error=NotImplementedError) == (
        "Bare defines no _transform_one."
    )


def test_names_that_follow_from_the_result():
    assert Scale().fit(IMAGES).get_feature_names_out().tolist() == ["red", "green", "blue"]
    assert Scale([1, 2, 3]).fit(IMAGES[..., :1]).get_feature_names_out().tolist() == [
        "scale0",
        "scale1",
        "scale2",
    ]
    assert Means().fit(IMAGES).get_feature_names_out().tolist() == ["means0", "means1", "means2"]
    rows = Rows().transform(IMAGES)
    names = MeanDescriptor().fit(rows).get_feature_names_out()
    assert names.tolist() == [f"meandescriptor{index}" for index in range(18)]
    assert Ends().fit(np.eye(3)).get_feature_names_out().tolist() == ["ends0", "ends1"]
    assert Name().fit(["a"]).get_feature_names_out().tolist() == ["length"]


def test_names_need_to_know_the_channels():
    assert refusal(Means().get_feature_names_out, error=NotFittedError) == (
        "This Means instance is not fitted yet. Call 'fit' with appropriate arguments before "
        "using this estimator."
    )


@pytest.mark.parametrize(
    ("stage", "two", "three", "string"),
    [
        (Scale, False, True, False),
        (MeanDescriptor, False, False, False),
        (Ends, False, False, False),
        (Name, False, False, True),
    ],
)
def test_tags_of_what_is_taken(stage, two, three, string):
    tags = get_tags(stage()).input_tags
    assert (tags.two_d_array, tags.three_d_array, tags.string) == (two, three, string)


# Parameters.


def test_parameters_that_are_equal_are_not_the_same():
    Scale(3).transform(IMAGES)
    Scale(3, (4, 5)).transform(IMAGES)
    for wrong in ({"factor": 3.0}, {"factor": 3, "limit": (4.0, 5)}):
        with pytest.raises(InvalidParameterError):
            Scale(**wrong).transform(IMAGES)


@pytest.mark.parametrize("factor", [[1, 2, 3], np.array([1.0, 2, 3])], ids=["list", "array"])
def test_parameters_that_change_in_place_are_seen(factor):
    stage = Scale(factor)
    np.testing.assert_array_equal(stage.transform(IMAGES), IMAGES * np.float32([1, 2, 3]))
    factor[0] = 4
    np.testing.assert_array_equal(stage.transform(IMAGES), IMAGES * np.float32([4, 2, 3]))
    factor[0] = float("nan")
    assert refusal(stage.transform, IMAGES, error=InvalidParameterError) == (
        "The 'factor' parameter of Scale must be an int in the range [1, inf), a finite array of "
        "1 dimension, not empty or a list or tuple of 1 to 1000 items, each an int in the range "
        f"[1, inf). Got {factor!r} instead."
    )


def test_what_is_remembered_of_parameters_is_limited():
    for limit in range(1, 2 * module._MOST_CHECKED):
        Scale(1, limit).transform(IMAGES[:0])
    assert len(module._checked) <= module._MOST_CHECKED


def test_parameters_are_checked_together():
    stage = Scale(11)
    for call in (stage.fit, stage.transform):
        assert refusal(call, IMAGES) == "Scale: factor must not be above limit, 10."
    stage.set_params(limit=11).fit(IMAGES)
    # Parameters are validated again after a change.
    assert refusal(stage.set_params(limit=5).transform, IMAGES) == (
        "Scale: factor must not be above limit, 5."
    )


class Plain(ImageStage):
    """A stage without parameter constraints."""

    gives = "vectors"

    def __init__(self, factor=1.0, label="a"):
        self.factor = factor
        self.label = label

    def _transform_one(self, image):
        return np.float32([self.factor * image.mean()])


def test_parameters_are_those_of_init():
    stage = clone(Plain(3.0, label="b"))
    assert stage.get_params() == {"factor": 3.0, "label": "b"}
    assert repr(stage) == "Plain(factor=3.0, label='b')"
    assert stage.set_params(factor=2).get_params()["factor"] == 2
    pixels = np.full((1, 4, 4, 1), 0.5, np.float32)
    union = FeatureUnion([("one", Plain(1.0)), ("two", Plain(2.0))])
    assert Stream([union]).transform(pixels).tolist() == [[0.5, 1.0]]


def test_a_class_that_arrives_by_value_in_another_process_keeps_its_parameters():
    class Local(ImageStage):
        _parameter_constraints: ClassVar = {"factor": [natural]}

        def __init__(self, factor=1):
            self.factor = factor

    code = (
        "import sys, cloudpickle\n"
        "stage = cloudpickle.loads(sys.stdin.buffer.read())\n"
        "try: stage.check_parameters()\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=cloudpickle.dumps(Local(0)),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == (
        "The 'factor' parameter of Local must be an int in the range [1, inf). Got 0 instead.\n"
    )


def test_constraints_of_parameters_that_do_not_exist():
    with pytest.raises(TypeError) as caught:

        class Misspelt(ImageStage):
            _parameter_constraints: ClassVar = {"factr": [natural], "factor": [natural]}

            def __init__(self, factor=1, limit=2):
                self.factor = factor
                self.limit = limit

    assert str(caught.value) == (
        "Misspelt: _parameter_constraints names 'factr', but __init__ has no such parameter. "
        "Parameters: factor, limit."
    )


def test_parameters_have_names():
    with pytest.raises(TypeError) as caught:

        class Unnamed(ImageStage):
            def __init__(self, **options):
                self.options = options

    assert str(caught.value) == (
        "Unnamed: __init__ has **options. Every parameter of a stage must have a name."
    )


# Fitting.


def test_it_learns_from_what_it_takes_of_the_batch():
    labels = ["a", "b", "a", "b"]
    stage = Center().fit(IMAGES, labels)
    assert (stage.count_, stage.y_) == (4, labels)
    mean = IMAGES[:2].mean(axis=(0, 1, 2))
    np.testing.assert_allclose(stage.mean_, mean, rtol=1e-6)
    np.testing.assert_allclose(stage.transform(IMAGES), IMAGES - mean, rtol=0, atol=1e-6)


def test_it_is_given_what_has_been_checked():
    pixels = [np.full((2, 2), value, np.uint8) for value in (51, 102, 204)]
    np.testing.assert_allclose(Center().fit(pixels).mean_, [0.3], rtol=1e-6)
    lazy = LazyBatch(3, lambda chosen: (pixels[index] for index in chosen))
    np.testing.assert_allclose(Center().fit(lazy).mean_, [0.3], rtol=1e-6)


class Given(ImageStage):
    def _requirements(self):
        return Requirements(uint8=True)

    def _transform_one(self, image):
        assert image.flags.c_contiguous
        self.given = image
        return image.astype(np.float32)


def test_pixels_of_8_bits_stay_what_they_are_where_a_stage_takes_them():
    stage, pixels = Given(), np.arange(12, dtype=np.uint8).reshape(2, 3, 2)
    for image in (pixels, pixels[:, ::-1], np.asfortranarray(pixels), pixels[..., 0]):
        stage.fit_transform([image])
        assert stage.given.dtype == np.uint8
        np.testing.assert_array_equal(stage.given, np.atleast_3d(image))
    for kind in (np.uint16, np.float32, np.float64, bool):
        stage.fit_transform([pixels.astype(kind)])
        assert stage.given.dtype == np.float32


def test_errors_in_a_sample_name_the_image_of_the_batch():
    images = IMAGES.copy()
    images[2, 0, 0, 0] = np.nan
    Center().fit(images)  # reads only the first two images
    stage = Center()
    for stage.chosen in ((2, 3), (3, 2), range(4)):
        assert refusal(stage.fit, images) == "Center: image 2 contains NaN or infinity."


def test_it_must_have_learnt():
    assert refusal(Center().transform, IMAGES, error=NotFittedError) == (
        "This Center instance is not fitted yet. Call 'fit' with appropriate arguments before "
        "using this estimator."
    )


# Batches.


@pytest.mark.parametrize(
    ("batch", "got"),
    [
        (IMAGES[0], f"one array of shape (5, 6, 3). {WRAP}{ADD_AXIS}"),
        (IMAGES[0, ..., 0], f"one array of shape (5, 6). {WRAP}{ADD_AXIS}"),
        (IMAGES[0, 0, 0], "one array of shape (3,)."),
        (IMAGES[np.newaxis], "one array of shape (1, 4, 5, 6, 3)."),
        (np.array(1.5), "one array of shape ()."),
        (np.array(None), "one array of shape ()."),
        (None, "NoneType."),
        ("photo.jpg", "str."),
        ({1: IMAGES[0]}, "dict."),
        ((image for image in IMAGES), "generator."),
        (pd.DataFrame({"x": [1]}), "DataFrame."),
    ],
)
def test_what_is_no_batch_of_images(batch, got):
    for call in (Scale().fit, Scale().transform):
        assert refusal(call, batch) == f"Scale: expected {WANTED}, but got {got}"


@pytest.mark.parametrize(
    ("image", "shape"), [(IMAGES, "(4, 5, 6, 3)"), ([1.0, 2.0], "(2,)"), (3.0, "()")]
)
def test_what_is_no_image(image, shape):
    assert refusal(Scale().transform, [IMAGES[0], image]) == (
        f"Scale: expected {WANTED}, but image 1 has shape {shape}."
    )


@pytest.mark.parametrize("kind", ["complex64", "int8", "uint32", "int64", "datetime64[s]", "S1"])
def test_types_that_are_no_pixels(kind):
    assert refusal(Scale().transform, [IMAGES[0], np.ones((2, 2), kind)]) == (
        f"Scale: image 1 is of type {np.dtype(kind)}. Pixels must be uint8, uint16 or bool, which "
        "are scaled to [0, 1], or floating point."
    )


def test_types_that_are():
    values = np.array([[0, 1], [37, 200]])
    result = Scale(1).transform([values.astype(np.uint8)])[0, ..., 0]
    np.testing.assert_array_equal(result, values.astype(np.float32) / np.float32(255))
    result = Scale(1).transform([(values * 300).astype(np.uint16)])[0, ..., 0]
    np.testing.assert_array_equal(result, (values * 300).astype(np.float32) / np.float32(65535))
    for kind in (np.float16, np.float32, np.float64, np.longdouble):
        result = Scale(1).transform([values.astype(kind)])[0, ..., 0]
        np.testing.assert_array_equal(result, values.astype(np.float32), strict=True)
    result = Scale(1).transform([values > 1])[0, ..., 0]
    np.testing.assert_array_equal(result, np.float32([[0, 0], [1, 1]]), strict=True)


def test_the_largest_numbers_are_numbers():
    most = np.full((2, 2, 1), np.finfo(np.float32).max)
    np.testing.assert_array_equal(Scale(1).transform([most, -most]), [most, -most])


def test_results_of_different_shapes_are_listed():
    images = IMAGES.copy()
    images[:, 0, 0, 0] = [2, 2, 1, 4]
    result = Crop().transform(images)
    assert [one.shape for one in result] == [(2, 6, 3), (2, 6, 3), (1, 6, 3), (4, 6, 3)]
    for one, image in zip(result, images, strict=True):
        np.testing.assert_array_equal(one, image[: len(one)])
    assert isinstance(Crop().transform(images[:2]), np.ndarray)


def test_results_are_written_to_their_place_where_the_shape_is_known():
    class Into(Scale):
        def _transform_one(self, image, out=None):
            if out is None:
                return image * np.float32(2)
            places.append(out.shape)
            return np.multiply(image, 2, out=out)

    places = []
    np.testing.assert_array_equal(Into().transform(IMAGES), IMAGES * 2)
    assert places == [(5, 6, 3)] * 3  # the first result defines the shape
    mixed = [IMAGES[0], IMAGES[1], IMAGES[2, :4], IMAGES[3]]
    for one, image in zip(Into().transform(mixed), mixed, strict=True):
        np.testing.assert_array_equal(one, image * 2)


@pytest.mark.parametrize("parent", [Scale, Means, Rows])
@pytest.mark.parametrize("given", [0, 3, 5])
def test_a_batch_gives_one_result_an_image(parent, given):
    class Wrong(parent):
        def _transform_batch(self, images):
            results = [self._transform_one(image) for image in images]
            return (results * 2)[:given]

    assert refusal(Wrong().transform, IMAGES, error=RuntimeError) == (
        f"Wrong: _transform_batch returned {given} results for 4 images."
    )


def test_a_batch_may_be_computed_at_once():
    class AtOnce(Crop):
        def _transform_batch(self, images):
            return [image * np.float32(2) for image in images]

    np.testing.assert_array_equal(AtOnce().transform(IMAGES), IMAGES * 2)
    mixed = [IMAGES[0], IMAGES[1, :3]]
    for one, image in zip(AtOnce().transform(mixed), mixed, strict=True):
        np.testing.assert_array_equal(one, image * 2)


# Paths.


@pytest.mark.parametrize(
    "batch",
    [
        ["ab", "c"],
        ("ab", "c"),
        [Path("ab"), b"c".decode()],
        np.array(["ab", "c"]),
        np.array(["ab", "c"], object),
        pd.Series(["ab", "c"], index=[7, 0]),
        pd.Series(["ab", "c"], dtype="category"),
        pd.Index(["ab", "c"]),
        pl.Series(["ab", "c"]),
        LazyBatch(2, lambda chosen: (["ab", "c"][index] for index in chosen)),
    ],
    ids=lambda batch: type(batch).__name__,
)
def test_paths_come_in_many_ways(batch):
    np.testing.assert_array_equal(Name().fit_transform(batch), [[2], [1]])


@pytest.mark.parametrize(
    "path", ["photo.jpg", b"photo.jpg", Path("photo.jpg"), np.array("photo.jpg"), {"a"}, None, 3]
)
def test_one_path_is_no_batch(path):
    for call in (Name().fit, Name().transform):
        assert refusal(call, path) == (
            f"Name: expected a batch of paths, but got {path!r}. For a single image, wrap it in a "
            "list: [path]."
        )


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, lambda table: [*table.values()]])
def test_a_table_is_no_batch_of_paths(table):
    made = table({"path": ["a", "b", "c"]})
    made = np.array(made) if isinstance(made, list) else made
    assert refusal(Name().transform, made) == (
        f"Name: expected a batch of paths, but got a table of shape {made.shape}. Pass the column "
        "of the paths."
    )


def test_numbers_are_no_paths():
    assert refusal(Name().transform, IMAGES[0]) == (
        f"Name: expected a batch of paths, or {WANTED}, but got one array of shape (5, 6, 3). "
        f"{WRAP}{ADD_AXIS}"
    )
    assert Name().transform(np.array([])).shape == (0, 0)


# Signals and descriptors.


def test_signals():
    signals = [np.array([1, 2, 3], np.uint8), np.array([0.5, -2])]
    np.testing.assert_allclose(Ends().transform(signals), [[1 / 255, 3 / 255], [0.5, -2]])
    wanted = (
        "a batch of signals, an array (n, length) or (n, length, channels) or a list of arrays "
        "(length,) or (length, channels)"
    )
    assert refusal(Ends().transform, [np.zeros(3), np.zeros((3, 1, 1))]) == (
        f"Ends: expected {wanted}, but signal 1 has shape (3, 1, 1)."
    )
    assert refusal(Ends().transform, np.zeros((1, 2, 3, 4))) == (
        f"Ends: expected {wanted}, but got one array of shape (1, 2, 3, 4)."
    )


SETS = (
    "a batch of descriptor sets, a list of DescriptorSet, as DenseSIFT returns, or of arrays "
    "(count, length)"
)


def test_descriptors_are_sets_or_arrays():
    sets = Rows().transform(IMAGES)
    expected = IMAGES.reshape(4, 5, 18).mean(axis=1)
    for batch in (sets, [np.asarray(one, np.float64) for one in sets], IMAGES.reshape(4, 5, 18)):
        np.testing.assert_allclose(MeanDescriptor().fit_transform(batch), expected, rtol=1e-6)
    none = DescriptorSet(np.zeros((0, 18), np.float32))
    np.testing.assert_array_equal(MeanDescriptor().fit(sets).transform([none]), np.zeros((1, 18)))


def test_positions_go_with_checked_descriptors():
    class Places(MeanDescriptor):
        def _transform_one(self, given):
            assert given.values.dtype == np.float32
            return given.relative_positions[0]

    values, places = np.ones((1, 3)), np.float32([[2, 1]])
    result = Places().transform([DescriptorSet(values, places, size=(5, 6))])
    np.testing.assert_allclose(result, [[0.5, 0.25]])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            np.zeros(3, np.float32),
            f"MeanDescriptor: expected {SETS}, but image 1 has an array of shape (3,).",
        ),
        (
            np.zeros((2, 3), np.uint8),
            "MeanDescriptor: the descriptor set of image 1 is of type uint8. Descriptors must be "
            "floating point.",
        ),
        (
            np.full((2, 3), np.inf),
            "MeanDescriptor: the descriptor set of image 1 contains NaN or infinity.",
        ),
        (
            np.full((2, 3), 1e39),
            "MeanDescriptor: the descriptor set of image 1 has values too large for single "
            "precision.",
        ),
    ],
)
@pytest.mark.parametrize("make", [np.asarray, DescriptorSet], ids=["array", "set"])
def test_wrong_descriptors(make, wrong, message):
    right = np.zeros((2, 3), np.float32)
    assert refusal(MeanDescriptor().transform, [right, make(wrong)]) == message
