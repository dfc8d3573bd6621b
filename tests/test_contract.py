"""What holds for every public stage. A new stage needs one row or more in the table below."""

import pickle
import pkgutil
import re
import wave
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from inspect import signature

import numpy as np
import pytest
import skops.io
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

import featx
from featx import (
    CENTRIST,
    GIST,
    HOG,
    LBP,
    LLC,
    SIFT,
    VLAD,
    AveragePool,
    BagOfWords,
    ColorHistogram,
    ColorSIFT,
    ColorSpace,
    ConvNet,
    Convolve,
    DenseHOG,
    DenseLBP,
    DensePatches,
    DenseSIFT,
    Difference,
    EdgeDirections,
    FisherVector,
    GaborBank,
    GaussianBlur,
    Grayscale,
    LocalColor,
    LocalContrast,
    MaxPool,
    OrientedEdges,
    PatchDictionary,
    PatternMatch,
    PatternSearch,
    PretrainedNet,
    ReadAudio,
    ReadImages,
    Rectify,
    ScaleSpace,
    Sobel,
    SpatialPyramid,
    Stream,
    Summarize,
    SuperVector,
    TextRows,
    ToneBank,
    UniformBlur,
)
from featx.core.constraints import bad_value, make_constraint
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InvalidParameterError
from featx.core.stage import ImageStage
from featx.encoders.code_book import CodeBookEncoder, PooledCodes
from featx.encoders.encoder import Encoder
from featx.pipeline.recipes import stage_names


@dataclass(frozen=True)
class Row:
    """A stage with parameters, and the images that it is tried on.

    What it takes, gives and learns is the stage's to say; nothing is ever fitted here, tests clone.
    """

    stage: ImageStage
    #: The smallest height and width (or length of a signal), and channels where they matter.
    least: tuple[int, ...] = (1, 1)
    #: Numbers of channels that images may have: grey and colour, unless the stage is picky.
    channels: tuple[int, ...] = (1, 3)
    #: How far results may depend on the other images: networks' kernels depend on the batch.
    tolerance: float = 0


SMOOTH = [[0.1, 0.2, 0.1], [0.3, 0.4, 0.3]]
COLORS = [[[1.0, -1.0, 0.5], [0.25, 2.0, 1.0]], [[0.0, 1.0, -2.0], [1.0, 1.0, 0.5]]]
LARGE = (np.arange(143.0).reshape(11, 13) / 143).tolist()

ROWS = [
    Row(AveragePool(), least=(2, 2)),
    Row(AveragePool((3, 2), stride=2, padding="same")),
    Row(BagOfWords(3)),
    Row(BagOfWords(4, assignment="soft", pooling="max", pyramid=[(2, 2)], append_position=0.1)),
    Row(CENTRIST(), least=(12, 12), channels=(1,)),
    Row(CENTRIST(2, n_components=None, norm="L1"), least=(6, 6), channels=(1,)),
    Row(ColorSIFT(), least=(13, 13), channels=(3,)),
    Row(
        ColorSIFT("hue", 3, [5, 3], (1, 0.7), window="gaussian", root=True, mirrored=True),
        least=(10, 10),
        channels=(3,),
    ),
    Row(ColorSIFT("c", bin_sizes=[4]), least=(13, 13), channels=(3,)),
    Row(ColorSIFT("rgb", bin_sizes=[4]), least=(13, 13), channels=(3,)),
    Row(ColorHistogram(), channels=(3,)),
    Row(
        ColorHistogram([3, 1, 4], "lab", joint=False, grid=(2, 3), norm="L1-sqrt"),
        least=(2, 3),
        channels=(3,),
    ),
    Row(ColorSpace("hsv"), channels=(3,)),
    Row(ColorSpace("lab"), channels=(3,)),
    Row(ColorSpace("luv"), channels=(3,)),
    Row(ColorSpace("ycbcr"), channels=(3,)),
    Row(ColorSpace("opponent"), channels=(3,)),
    Row(ConvNet("resnet-20", {"maps": 2}, epochs=1), tolerance=1e-5),
    Row(
        ConvNet("airbench", {"maps": [3, 4, 5]}, layer="blocks.2", batch_size=2, epochs=1),
        least=(9, 9),
        tolerance=1e-5,
    ),
    Row(Convolve([1.0, -2.0, 0.5]), least=(3,)),
    Row(Convolve([1.0, -2.0], padding="reflect", stride=[3]), least=(1,)),
    Row(Convolve(SMOOTH), least=(2, 3)),
    Row(Convolve(LARGE, padding="zero", stride=2)),
    Row(Convolve(COLORS, stride=(2, 1, 1)), least=(2, 2, 3), channels=(3, 5)),
    Row(Convolve(COLORS, padding="edge"), least=(1, 1, 1)),
    Row(DenseHOG(), least=(12, 12)),
    Row(DenseHOG(4, [6, 4], 3, step=2), least=(10, 10)),
    Row(DenseLBP(), least=(18, 18)),
    Row(
        DenseLBP(12, 2.5, "uniform", 0.02, patch_sizes=[12, 6], cells=3, step=3, norm="L2"),
        least=(12, 12),
    ),
    Row(DensePatches(), least=(8, 8)),
    Row(DensePatches(3, [2, 5], step=3, epsilon=0.1), least=(5, 5), channels=(1, 2)),
    Row(DenseSIFT(), least=(13, 13), channels=(1,)),
    Row(
        DenseSIFT(
            3, [5, 3], (1, 0.7), magnification=None, window="gaussian", root=True, mirrored=True
        ),
        least=(10, 10),
        channels=(1,),
    ),
    Row(Difference(), channels=(1, 3, 130)),
    Row(Difference(axis="both", padding="valid"), least=(2, 2)),
    Row(EdgeDirections(), channels=(1,)),
    Row(EdgeDirections(7, False, 0.01, None, 0.01, 0.02), channels=(1,)),
    Row(FisherVector(4)),
    Row(
        FisherVector(
            3, n_components=2, whiten=True, append_position=0.5, pyramid=[[1, 1], (3, 1), [2, 2]]
        )
    ),
    Row(GaborBank([0.3, 0.11], 3)),
    Row(
        GaborBank((0.4, 0.25), (0, 22.5), "both", 1.5, 1.0, False, truncate=2.0, padding="valid"),
        least=(9, 9),
    ),
    Row(GIST([4, 3]), least=(4, 4)),
    Row(GIST([2], (1, 3), prefilter=None, boundary_extension=0), least=(1, 3)),
    Row(GaussianBlur()),
    Row(GaussianBlur(sigma=2.5, truncate=2.0, padding="valid"), least=(11, 11)),
    Row(GaussianBlur(sigma=[2.5]), least=(1,)),
    Row(GaussianBlur(sigma=(1,), padding="valid"), least=(9,)),
    Row(Grayscale()),
    Row(HOG(), least=(24, 24)),
    Row(HOG(7, (6, 5), transform_sqrt=True, variant="uoctti"), least=(3, 3)),
    Row(HOG(4, (5, 6), (2, 1), block_norm="L1-sqrt", transform_sqrt=True), least=(10, 6)),
    Row(LBP(), least=(3, 3)),
    Row(
        LBP([4, 12], (1, 2.5), "nri_uniform", threshold=0.02, grid=(3, 2), norm="L1-sqrt"),
        least=(9, 8),
    ),
    Row(LBP(6, method="ror", norm=None), least=(3, 3), channels=(1, 2)),
    Row(LLC(7)),
    Row(LLC(5, n_neighbors=2, regularization=0.1, pooling="sum", n_components=3, whiten=True)),
    Row(LocalColor(), least=(16, 16)),
    Row(LocalColor([15, 9], cells=3, step=2), least=(9, 9), channels=(2,)),
    Row(LocalContrast()),
    Row(LocalContrast(size=None, subtract_mean=False)),
    Row(MaxPool(), least=(2, 2)),
    Row(MaxPool(3, stride=(1, 2), padding="same")),
    Row(OrientedEdges()),
    Row(OrientedEdges([0, 30.5], 1.5, order=2, truncate=3.0, padding="valid"), least=(11, 11)),
    Row(PatchDictionary(7), least=(7, 7)),
    Row(
        PatchDictionary(5, patch_size=3, step=2, whitening=None, activation="hard", grid=(3, 1)),
        least=(7, 3),
    ),
    Row(PatternMatch(length=9), least=(9, 1)),
    Row(PatternMatch(length=[3, 7], orientation=[0, 45.0, 90]), least=(7, 7)),
    Row(PatternMatch(length=5, orientation=[0, 90], each=True, padding="edge"), channels=(2, 4)),
    Row(PatternMatch(SMOOTH, method="ncc"), least=(2, 3)),
    Row(PatternMatch(COLORS, padding="reflect"), least=(1, 1, 1), channels=(3,)),
    Row(PatternMatch(COLORS, method="ncc"), least=(2, 2, 3), channels=(3,)),
    Row(PatternMatch([1.0, -2.0, 0.5], method="ncc"), least=(3,)),
    Row(PatternMatch(LARGE[0], padding="zero"), least=(1,)),
    Row(PatternSearch(size=9), least=(9, 9, 3), channels=(3,)),
    Row(
        PatternSearch(SMOOTH, mask=[[1, 0.5, 1], [0, 1, 1]], size=2), least=(2, 3, 1), channels=(1,)
    ),
    Row(PretrainedNet(layer="_blocks.0"), tolerance=1e-5),
    Row(ReadAudio(rate=None)),
    Row(ReadAudio(rate=6000, mode="stereo")),
    Row(ReadImages()),
    Row(ReadImages(size=(15, 18), mode="gray", resize="crop")),
    Row(ReadImages(size=[30, 16], resize="pad", background=(9, 0, 200), reduced_decoding=True)),
    Row(ReadImages(size=(17, 17), resize="shrink")),
    Row(Rectify()),
    Row(Rectify("absolute")),
    Row(Rectify("square")),
    Row(Rectify("both")),
    Row(ScaleSpace()),
    Row(ScaleSpace([0.5, 3.0, 4.0], difference=True, truncate=3.0)),
    Row(SIFT(), channels=(1,)),
    Row(SIFT(5, 0.01, 20.0, sigma=1.2, root=True), channels=(1,)),
    Row(Sobel(), channels=(1, 3, 130)),
    Row(Sobel("both", padding="zero")),
    Row(Sobel("magnitude", padding="valid"), least=(3, 3)),
    Row(SpatialPyramid(), least=(4, 4)),
    Row(SpatialPyramid(levels=[(1, 3), (2, 1)], statistic="log_energy"), least=(2, 3)),
    Row(Summarize()),
    Row(Summarize(["mean", "log_energy", "energy_ratio"], quantiles=[0.1, 1]), channels=(2, 3)),
    Row(SuperVector(3)),
    Row(SuperVector(4, constant=0.1, power=0.5, pyramid=[(1, 1), (1, 3)], pyramid_weights=[1, 2])),
    Row(TextRows(), least=(16, 16), channels=(1,)),
    Row(ToneBank(["C6", "F#6"], window_length=32, hop_length=9, harmonics=3), least=(32,)),
    Row(
        ToneBank([500.0, 600.5], rate=8000, window_length=200, hop_length=1, padding="zero"),
        least=(1,),
    ),
    Row(UniformBlur()),
    Row(UniformBlur(size=[4], padding="valid"), least=(4,)),
    Row(UniformBlur(size=(4, 3), padding="valid"), least=(4, 3)),
    Row(VLAD(3)),
    Row(VLAD(2, residuals="unit", intra_norm=False, n_samples=50, random_state=3)),
]


# What is added to the least size that a stage needs: its items are of the first size, or of three.
MORE = {
    "images": [(21, 18), (24, 19), (18, 25)],
    "signals": [(60,), (75,), (52,)],
    "descriptors": [(40,), (25,), (33,)],
}
LABELS = ["a", "b", "a"]


@dataclass(frozen=True)
class Case:
    """A row with one of its numbers of channels."""

    row: Row
    channels: int

    @property
    def stage(self):
        return clone(self.row.stage)

    @property
    def name(self):
        return type(self.row.stage).__name__

    @property
    def kind(self):
        return self.row.stage.input_kind

    @property
    def made_of(self):
        """Tell whether its items are images, signals or descriptors; or files of the first two."""
        if self.kind == "paths":
            return "signals" if self.row.stage.gives == "signals" else "images"
        return self.kind if self.kind in MORE else "images"

    @property
    def noun(self):
        return "signal" if self.kind == "signals" else "image"

    def shape(self, size):
        """Add the channels to a height and width; signals have none."""
        return (*size[:2], self.channels) if self.made_of == "images" else size

    def items(self, folder, seed=0, ragged=False):
        """Make three items of one size, or of three sizes."""
        rng = np.random.default_rng(seed)
        sizes = MORE[self.made_of] if ragged else MORE[self.made_of][:1] * 3
        if self.made_of == "descriptors":
            return [random_set(rng, count) for (count,) in sizes]
        items = []
        for size in sizes:
            shape = self.shape(tuple(map(sum, zip(self.row.least, size, strict=False))))
            values = rng.integers(0, 256, shape, np.uint8)
            if self.kind == "paths":
                items.append(as_file(folder / f"{seed} {len(items)} {shape}", values))
            else:
                items.append(values / np.float32(255))
        return items

    def __str__(self):
        stage = re.sub(r"\s+", " ", repr(self.row.stage))
        return f"{stage} {self.channels}" if self.made_of == "images" else stage


def random_set(rng, count, length=8, size=(30, 40)):
    """Make descriptors that lie anywhere in an image."""
    values = rng.random((count, length), np.float32)
    positions = rng.random((count, 2), np.float32) * np.float32(size)
    return DescriptorSet(values, positions, 8 + rng.random(count, np.float32), size)


def as_file(path, values):
    """Write pixels to a PNG file, or samples of 8 bits to a WAV file."""
    if values.ndim == 3:
        Image.fromarray(values.squeeze()).save(path, "PNG")
        return path
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, len(values), "NONE", ""))
        file.writeframes(values.tobytes())
    return path


def cases(row):
    made_of_images = Case(row, 0).made_of == "images"
    return [Case(row, channels) for channels in (row.channels if made_of_images else (1,))]


CASES = [case for row in ROWS for case in cases(row)]
ONE_A_ROW = [cases(row)[-1] for row in ROWS]
OF_NUMBERS = [case for case in CASES if case.kind in ("pixels", "maps", "signals")]
OF_IMAGES = [case for case in CASES if case.kind in ("pixels", "maps")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return request.param


@pytest.fixture
def batch(case, folder):
    return case.items(folder)


@pytest.fixture
def fitted(case, batch):
    return case.stage.fit(batch, LABELS)


one_a_row = pytest.mark.parametrize("case", ONE_A_ROW, ids=str)
of_numbers = pytest.mark.parametrize("case", OF_NUMBERS, ids=str)
of_images = pytest.mark.parametrize("case", OF_IMAGES, ids=str)


def parts(item):
    """List the arrays that an item, or a result for one, is made of."""
    if is_dataclass(item):
        return [part for field in fields(item) for part in parts(getattr(item, field.name))]
    return [item] if isinstance(item, np.ndarray) else []


def assert_same(actual, expected, tolerance=0):
    """Compare results entry by entry, whether they are arrays, or lists, or made of arrays."""
    assert type(actual) is type(expected)
    if isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance, strict=True)
    elif isinstance(expected, list):
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other, tolerance)
    elif is_dataclass(expected):
        for field in fields(expected):
            assert_same(getattr(actual, field.name), getattr(expected, field.name), tolerance)
    else:
        assert actual == expected


def refusal(call, *arguments, error=ValueError):
    """Give the whole message with which a call is refused."""
    with pytest.raises(error) as caught:
        call(*arguments)
    return str(caught.value)


def singles(stage, items):
    return [stage.transform([item])[0] for item in items]


def together(stage, results):
    """Put results for single images together, as the stage is to do it with a batch."""
    if stage.gives == "descriptors" or len({result.shape for result in results}) > 1:
        return results
    return np.stack(results)


# The table, the package and the stage's face.


def test_every_public_stage_has_a_row():
    assert {type(row.stage).__name__ for row in ROWS} == set(stage_names())


def test_every_stage_of_the_package_is_public():
    for module in pkgutil.walk_packages(featx.__path__, "featx."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    found, classes = set(), [ImageStage]
    for parent in classes:
        classes += parent.__subclasses__()
        if parent.__module__.startswith("featx.") and not parent.__name__.startswith("_"):
            found.add(parent)
    bases = {ImageStage, Encoder, CodeBookEncoder, PooledCodes}
    assert found == {*bases, *(getattr(featx, name) for name in stage_names())}


@one_a_row
def test_parameters_are_stored_as_they_are_given(case):
    parameters = case.row.stage.get_params()
    names = set(signature(type(case.row.stage)).parameters)
    assert set(parameters) == names >= set(case.row.stage._parameter_constraints)
    made = type(case.row.stage)(**parameters).get_params()
    assert all(made[name] is value for name, value in parameters.items())


@one_a_row
def test_clone_has_the_same_parameters(case, batch, fitted):
    assert clone(fitted).get_params() == case.row.stage.get_params()
    assert vars(clone(fitted)).keys() == vars(case.row.stage).keys()


@one_a_row
def test_unknown_parameters_are_refused(case):
    message = refusal(lambda: case.stage.set_params(nonsense=1))
    assert message == (
        f"Invalid parameter 'nonsense' for estimator {case.row.stage!r}. "
        f"Valid parameters are: {sorted(case.row.stage.get_params())!r}."
    )


@one_a_row
def test_set_params_is_as_good_as_a_new_stage(case, batch, fitted, folder):
    for other in ONE_A_ROW:
        if type(other.row.stage) is type(case.row.stage):
            stage, items = other.stage, other.items(folder)
            stage.fit(items, LABELS).transform(items)
            stage.set_params(**case.row.stage.get_params()).fit(batch, LABELS)
            assert_same(stage.transform(batch), fitted.transform(batch), case.row.tolerance)
            names = stage.get_feature_names_out()
            np.testing.assert_array_equal(names, fitted.get_feature_names_out())


@one_a_row
def test_bad_values_are_refused(case, batch, fitted):
    for name, declared in case.row.stage._parameter_constraints.items():
        constraints = [make_constraint(constraint) for constraint in declared]
        values = [b"bytes", None, float("nan"), "nonsense"]
        for constraint in declared:
            with suppress(NotImplementedError):  # of those that admit every value of their type
                values.append(bad_value(constraint))
        *most, last = map(str, constraints)
        right = f"{', '.join(most)} or {last}" if most else last
        for value in values:
            if any(constraint.is_satisfied_by(value) for constraint in constraints):
                continue
            stage = deepcopy(fitted).set_params(**{name: value})
            expected = (
                f"The {name!r} parameter of {case.name} must be {right}. Got {value!r} instead."
            )
            for refuse in (stage.fit, stage.transform, clone(stage).fit, clone(stage).transform):
                assert refusal(refuse, batch, error=InvalidParameterError) == expected


@one_a_row
def test_tags_say_whether_it_must_be_fitted(case, batch, fitted):
    stage = case.stage
    assert get_tags(stage).requires_fit == stage.learns
    if stage.learns:
        message = (
            f"This {case.name} instance is not fitted yet. Call 'fit' with appropriate arguments "
            "before using this estimator."
        )
        assert refusal(stage.transform, batch, error=NotFittedError) == message
    else:
        check_is_fitted(stage)
        assert_same(stage.transform(batch), fitted.transform(batch))


@one_a_row
def test_html_shows_its_name_and_parameters(case):
    html = case.row.stage._repr_html_()
    for word in (case.name, *case.row.stage.get_params()):
        assert re.search(rf"\b{word}\b", html)


# One image, several, none.


def test_batch_is_a_stack_of_single_images(case, batch, fitted):
    expected = together(fitted, singles(fitted, batch))
    assert_same(fitted.transform(batch), expected, case.row.tolerance)
    if case.kind in ("pixels", "maps", "signals"):
        assert_same(fitted.transform(np.stack(batch)), expected, case.row.tolerance)


def test_images_of_different_sizes_are_as_by_themselves(case, fitted, folder):
    items = case.items(folder, ragged=True)
    results = singles(fitted, items)
    lengths = sorted({len(result) for result in results})
    if fitted.gives == "vectors" and len(lengths) > 1:
        assert refusal(fitted.transform, items) == (
            f"{case.name} gives vectors of different lengths ({lengths[0]} to {lengths[-1]}) for "
            "images of different sizes. Give all images one size, for example with "
            "ReadImages(size=(256, 256))."
        )
    else:
        expected = together(fitted, results)
        assert_same(fitted.transform(items), expected, case.row.tolerance)
        assert_same(fitted.transform(tuple(items)), expected, case.row.tolerance)
        objects = np.empty(3, object)
        objects[:] = items
        assert_same(fitted.transform(objects), expected, case.row.tolerance)


def test_fit_transform_is_fit_and_transform(case, batch, fitted):
    expected = fitted.transform(batch)
    assert_same(case.stage.fit_transform(batch, LABELS), expected, case.row.tolerance)


def test_no_images_give_an_empty_batch(case, batch, fitted):
    some = fitted.transform(batch)
    if fitted.gives == "descriptors" or case.kind == "paths":
        assert fitted.transform([]) == []
    else:
        assert_same(fitted.transform([]), some[:0])
    if case.kind in ("pixels", "maps", "signals"):
        assert_same(fitted.transform(np.stack(batch)[:0]), some[:0])
    if not fitted.learns:
        none = np.empty((0, 0), np.float32) if fitted.gives == "vectors" else []
        assert_same(case.stage.transform([]), none)
    assert refusal(case.stage.fit, []) == f"{case.name} cannot be fitted on an empty batch."


def test_single_image_is_refused(case, batch, fitted):
    if case.kind == "paths":
        expected = (
            f"{case.name} takes a batch of paths, but got {batch[0]!r}. "
            "For a single image, wrap it in a list: [path]."
        )
    elif case.kind == "signals":
        expected = (
            f"{case.name} takes a batch of signals, an array (n, length) or (n, length, channels) "
            "or a list of arrays (length,) or (length, channels), but got one array of shape "
            f"{batch[0].shape}. For a single signal, wrap it in a list: [signal]."
        )
    elif case.kind == "descriptors":
        expected = (
            f"{case.name} takes a batch of descriptor sets, a list of what DenseSIFT and its like "
            f"give, or of arrays (count, length), but got one set of shape {batch[0].shape}. "
            "For a single image, wrap it in a list: [descriptors]."
        )
    else:
        expected = (
            f"{case.name} takes a batch of images, an array (n, height, width, channels) or a "
            f"list of arrays (height, width, channels), but got one array of shape "
            f"{batch[0].shape}. For a single image, wrap it in a list: [image]. "
            "For several grey images, add the axis of channels: images[..., np.newaxis]."
        )
    assert refusal(fitted.transform, batch[0]) == expected
    assert refusal(case.stage.fit, batch[0]) == expected


# What images may be.


def test_results_are_finite_and_share_nothing_with_the_images(case, batch, fitted, folder):
    for items in (batch, case.items(folder, ragged=True)):
        for item, result in zip(items, singles(fitted, items), strict=True):
            for part in parts(result):
                assert part.dtype == (np.uint8 if fitted.gives == "pixels" else np.float32)
                assert part.flags.c_contiguous
                assert part.flags.writeable
                assert np.isfinite(part).all()
                assert not any(np.shares_memory(part, given) for given in parts(item))
    if fitted.gives in ("maps", "pixels") and case.kind != "paths":
        ragged = case.items(folder, ragged=True)
        for item, result in zip(ragged, fitted.transform(ragged), strict=True):
            assert not np.shares_memory(item, result)


def test_images_are_not_modified(case, batch):
    before = deepcopy(batch)
    stage = case.stage.fit(batch, LABELS)
    expected = stage.transform(batch)
    assert_same(batch, before)
    for item in batch:
        for part in parts(item):
            part.flags.writeable = False
    assert_same(stage.fit(batch, LABELS).transform(batch), expected, case.row.tolerance)


@of_numbers
def test_numbers_may_lie_in_memory_as_they_like(case, batch, fitted):
    def unaligned(image):
        place = np.empty(image.size + 1, np.float32)[1:].reshape(image.shape)
        place[...] = image
        return place

    expected = fitted.transform(batch)
    for stored in (
        unaligned,
        lambda image: np.flip(np.flip(image).copy()),
        lambda image: np.repeat(image, 2, axis=0)[::2],
        np.asfortranarray,
        lambda image: image.astype(">f4"),
        np.float64,
    ):
        assert_same(fitted.transform([stored(item) for item in batch]), expected)
        assert_same(fitted.transform(stored(np.stack(batch))), expected)


@of_images
def test_whole_numbers_are_as_good_as_floats(case, batch, fitted):
    expected = fitted.transform(batch)
    pixels = [np.rint(item * 255).astype(np.uint8) for item in batch]
    assert_same(fitted.transform(pixels), expected)
    assert_same(fitted.transform([item * np.uint16(257) for item in pixels]), expected)
    black_and_white = [item > 0.5 for item in batch]
    expected = fitted.transform([item.astype(np.float32) for item in black_and_white])
    assert_same(fitted.transform(black_and_white), expected)


@of_images
def test_grey_images_need_no_axis_of_channels(case, batch, fitted):
    if case.channels == 1:
        flat = [item[..., 0] for item in batch]
        assert_same(fitted.transform(flat), fitted.transform(batch))


@of_images
def test_other_numbers_of_channels_are_refused(case, fitted):
    least = case.row.least[:2]
    none = np.zeros((1, *least, 0), np.float32)
    if len(case.row.least) == 2:
        expected = f"{case.name} needs at least one channel, but image 0 has none."
        assert refusal(fitted.transform, none) == expected
    channels = fitted.check_parameters().channels
    if channels is not None:
        wanted = " or ".join(map(str, channels))
        noun = "channel" if wanted == "1" else "channels"
        expected = f"{case.name} takes images of {wanted} {noun}, but image 0 has 2."
        assert refusal(fitted.transform, np.zeros((1, *least, 2), np.float32)) == expected


@of_numbers
def test_even_images_give_finite_results(case, batch, fitted):
    black, gray, white = (np.full_like(batch[0], value) for value in (0, 0.5, 1))
    for result in fitted.transform([black, gray, white]):
        assert all(np.isfinite(part).all() for part in parts(result))


@of_numbers
def test_images_that_are_too_small_are_refused(case, batch, fitted):
    def written(size):
        unit = {1: " samples", 2: " pixels", 3: ""}[len(size)]
        return (f"{size[0]}" if len(size) == 1 else " x ".join(map(str, size))) + unit

    least = case.row.least
    assert len(fitted.transform([np.zeros(case.shape(least), np.float32)])) == 1
    for axis in range(len(least)):
        size = tuple(length - (place == axis) for place, length in enumerate(least))
        small = np.zeros(size if len(size) == 3 else case.shape(size), np.float32)
        expected = (
            f"{case.name} needs at least {written(least)} with these parameters, "
            f"but {case.noun} {{}} is {written(size)}."
        )
        assert refusal(case.stage.fit, [small]) == expected.format(0)
        assert refusal(fitted.transform, [batch[0], small]) == expected.format(1)
        if fitted.gives != "descriptors":  # of which an empty batch has no shape
            none = expected.replace(f"{case.noun} {{}}", "an image of this empty batch")
            assert refusal(fitted.transform, small[np.newaxis][:0]) == none


def test_numbers_that_are_not_finite_are_refused(case, batch, fitted):
    which = {
        "descriptors": f"{case.name}: the descriptor set of image",
        "signals": f"{case.name}: signal",
    }.get(case.kind, f"{case.name}: image")
    for value, wrong in (
        (np.nan, "contains NaN or infinity."),
        (-np.inf, "contains NaN or infinity."),
        (1e39, "has values too large for single precision."),
    ):
        if case.kind != "paths":
            wrong_item = np.array(batch[1], np.float64)
            wrong_item.flat[wrong_item.size // 2] = value
            assert refusal(fitted.transform, [batch[0], wrong_item]) == f"{which} 1 {wrong}"
            assert refusal(case.stage.fit, [wrong_item, batch[0]]) == f"{which} 0 {wrong}"


@of_numbers
def test_other_types_are_refused(case, batch, fitted):
    expected = (
        f"{case.name}: {case.noun} 1 is of type int64. Pixels are uint8, uint16 or bool, which "
        "are scaled to [0, 1], or floating point."
    )
    assert refusal(fitted.transform, [batch[0], np.ones(batch[1].shape, np.int64)]) == expected


# Names and data frames.


def test_names_match_the_columns(case, batch, fitted):
    names = fitted.get_feature_names_out()
    assert names.dtype == object
    assert all(isinstance(name, str) for name in names)
    assert len(set(names)) == len(names)
    if fitted.output_kind != "signals":  # the samples of which are no features
        assert len(names) == fitted.transform(batch)[0].shape[-1]


@of_images
def test_names_follow_those_of_the_channels(case, fitted):
    given = {1: ["gray"], 3: ["red", "green", "blue"]}
    channels = given.get(case.channels, [f"channel{index}" for index in range(case.channels)])
    names = fitted.get_feature_names_out()
    np.testing.assert_array_equal(fitted.get_feature_names_out(channels), names)
    others = fitted.get_feature_names_out([f"map{index}" for index in range(case.channels)])
    assert len(set(others)) == len(others) == len(names)


@of_images
def test_wrong_number_of_input_names_is_refused(case, fitted):
    names = [f"map{index}" for index in range(case.channels + 1)]
    assert refusal(fitted.get_feature_names_out, names) == (
        f"{case.name} was fitted on images of {case.channels} channels, but input_features has "
        f"{case.channels + 1} names."
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_vectors_go_into_data_frames(case, batch, fitted, library):
    values = fitted.transform(batch)
    given = fitted.set_output(transform=library).transform(batch)
    if fitted.gives == "vectors":
        assert type(given).__module__.split(".")[0] == library
        assert list(given.columns) == list(fitted.get_feature_names_out())
        given = given.to_numpy()
    assert_same(given, values)


# Files and threads.


@one_a_row
def test_pickle_keeps_everything(case, batch, fitted):
    loaded = pickle.loads(pickle.dumps(fitted))
    assert loaded.get_params() == fitted.get_params()
    assert_same(loaded.transform(batch), fitted.transform(batch))
    np.testing.assert_array_equal(loaded.get_feature_names_out(), fitted.get_feature_names_out())


@one_a_row
def test_skops_keeps_everything(case, batch, fitted):
    content = skops.io.dumps(fitted)
    untrusted = skops.io.get_untrusted_types(data=content)
    assert untrusted == [f"{type(fitted).__module__}.{case.name}"]
    loaded = skops.io.loads(content, trusted=untrusted)
    assert loaded.get_params() == fitted.get_params()
    assert_same(loaded.transform(batch), fitted.transform(batch))
    np.testing.assert_array_equal(loaded.get_feature_names_out(), fitted.get_feature_names_out())


def test_threads_give_the_result_of_one(case, folder, fitted):
    items = [item for seed in range(4) for item in case.items(folder, seed)]
    expected = singles(fitted, items)
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda item: fitted.transform([item])[0], items))
    assert_same(given, expected)
    stream = Stream([fitted], chunk_size=1, n_jobs=3)
    assert_same(stream.transform(items), together(fitted, expected))
