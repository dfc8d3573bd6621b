"""What holds for every public stage. A new stage needs one row or more in the table below."""

import pkgutil
import re
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import pytest

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
    Summarize,
    SuperVector,
    TextRows,
    ToneBank,
    UniformBlur,
)
from featx.core.stage import ImageStage
from featx.encoders.code_book import CodeBookEncoder, PooledCodes
from featx.encoders.encoder import Encoder
from featx.pipeline.registry import stage_names
from featx.testing import stage_checks


@dataclass(frozen=True)
class Row:
    """A stage with parameters, and the images that it is tried on.

    What it takes, gives and learns is the stage's to say; nothing is ever fitted here, tests clone.
    """

    stage: ImageStage
    #: The smallest height and width (or length of a signal), and channels where they matter.
    least: tuple[int, ...] = (1, 1)
    #: Numbers of channels that images may have: gray and color, unless the stage is picky.
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


def name_of(row):
    return re.sub(r"\s+", " ", repr(row.stage))


CHECKS = [
    (f"{name_of(row)} {count} {name}", run)
    for row in ROWS
    for name, count, run in stage_checks(row.stage, channels=row.channels, tolerance=row.tolerance)
]


@pytest.mark.parametrize("check", [pytest.param(run, id=name) for name, run in CHECKS])
def test_stage(check):
    check()


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_smallest_image(row):
    least = row.stage.check_parameters().shape
    assert least == row.least or row.stage.takes in ("paths", "descriptors")


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
