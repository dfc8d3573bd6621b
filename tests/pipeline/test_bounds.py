"""Parameters that would take all memory are rejected before any work."""

import inspect
from importlib import import_module

import numpy as np
import pytest

import featx
from featx import load_recipe
from featx.core.errors import InvalidParameterError, RecipeError
from featx.pipeline.bounds import ESTIMATOR_BOUNDS
from featx.pipeline.registry import ESTIMATORS

BILLION, MILLION = 10**9, 10**6
GRAY = "ReadImages: {mode: gray}"
SIFT = [GRAY, "DenseSIFT"]
VECTORS = [GRAY, "HOG"]


def whole(most):
    return f"an int in the range [1, {most}]"


def real(most):
    return f"a float in the range (0.0, {float(most)}]"


def one(item):
    return f"a list or tuple of 1 items, each {item}"


def several(item, least=1):
    return f"a list or tuple of {least} to 1000 items, each {item}"


def pair(most):
    return f"a list or tuple of 2 items, each {whole(most)}"


ANGLE = "a float in the range [0.0, 180.0)"
PYRAMID = f"{several(whole(1000))} or {several(pair(1000))}"
POSITIVE = "a float in the range (0.0, inf)"
SIZE = "a float in the range (-inf, 10000.0]"
VALUES = f"{SIZE} or an instance of 'str' or {several(SIZE)}"
ARCHITECTURE = f"a dict of values that are {VALUES} or None"
SHARE = "a float in the range [0.0, 1.0]"
COMPONENTS = f"{whole(100_000)}, {SHARE}, an instance of 'str' or None"
DEGREE = f"{(ten := 'a float in the range [0.0, 10.0]')}, {several(ten)} or None"
SAMPLES = f"{whole(10**9)}, {SHARE} or None"
ITERATIONS = "an int in the range [-1, 1000000] or None"
LAYERS = f"{whole(10_000)} or {several(whole(10_000), least=0)}"
#: Hostile parameters of stages, with what they must be.
STAGES = [
    ([], "ReadImages", "size", [MILLION, MILLION], f"{pair(65536)} or None"),
    ([], "ReadImages", "max_pixels", 10**18, whole(2**30)),
    ([], "ReadImages", "max_bytes", 10**18, whole(2**32)),
    ([], "ReadAudio", "max_samples", 10**18, whole(2**30)),
    ([], "ReadAudio", "rate", BILLION, f"{whole(10**7)} or None"),
    ([GRAY], "UniformBlur", "size", BILLION, f"{whole(4096)}, {pair(4096)} or {one(whole(4096))}"),
    ([GRAY], "LocalContrast", "size", BILLION + 1, f"{whole(4096)} or None"),
    ([GRAY], "GaussianBlur", "sigma", 1e9, f"{real(1000)} or {one(real(1000))}"),
    ([GRAY], "GaussianBlur", "truncate", 1e12, real(100)),
    ([GRAY], "ScaleSpace", "sigmas", [1.0, 1e9], several(real(1000))),
    ([GRAY], "OrientedEdges", "orientations", MILLION, f"{whole(1000)} or {several(ANGLE)}"),
    ([GRAY], "OrientedEdges", "sigma", 1e9, real(1000)),
    ([GRAY], "GaborBank", "orientations", MILLION, f"{whole(1000)} or {several(ANGLE)}"),
    ([GRAY], "HOG", "orientations", MILLION, whole(1000)),
    ([GRAY], "DenseHOG", "orientations", BILLION, whole(1000)),
    ([GRAY], "GIST", "orientations_per_scale", [8, BILLION], several(whole(1000))),
    ([GRAY], "GIST", "boundary_extension", BILLION, "an int in the range [0, 10000]"),
    ([GRAY], "EdgeDirections", "sigma", 1e9, f"{real(1000)} or None"),
    ([GRAY], "CENTRIST", "levels", BILLION, whole(1000)),
    ([GRAY], "SpatialPyramid", "levels", [1, BILLION], PYRAMID),
    ([GRAY], "SIFT", "sigma", 1e9, real(1000)),
    ([GRAY], "DenseSIFT", "image_scales", [1.0, 1e6], several(real(16))),
    (SIFT, "VLAD", "pyramid", [[BILLION, BILLION]], several(pair(100))),
    (SIFT, "FisherVector", "n_components", BILLION, f"{whole(100_000)} or None"),
    (SIFT, "FisherVector", "max_iter", BILLION, whole(1_000_000)),
    (VECTORS, "KernelMap", "order", BILLION, whole(1000)),
    (
        [GRAY],
        "ConvNet",
        "architecture_params",
        {"channels": BILLION},
        f"a dict of values that are {VALUES} or None",
    ),
    (["ReadAudio: {rate: 8000}"], "ToneBank", "window_length", BILLION, whole(2**24)),
]
#: Hostile parameters of scikit-learn's estimators.
ESTIMATORS_OF_RECIPES = [
    ("PCA", "n_components", BILLION, COMPONENTS),
    ("TruncatedSVD", "n_components", BILLION, COMPONENTS),
    ("TruncatedSVD", "n_oversamples", BILLION, whole(100_000)),
    ("RBFSampler", "n_components", BILLION, COMPONENTS),
    ("Nystroem", "n_jobs", BILLION, "an int in the range (-inf, 1000] or None"),
    ("AdditiveChi2Sampler", "sample_steps", BILLION, whole(1000)),
    ("PolynomialFeatures", "degree", BILLION, DEGREE),
    ("PolynomialFeatures", "degree", [2, BILLION], DEGREE),
    ("RandomForestClassifier", "n_estimators", BILLION, whole(100_000)),
    ("RandomForestClassifier", "max_samples", 10**10, SAMPLES),
    ("HistGradientBoostingClassifier", "max_iter", BILLION, ITERATIONS),
    ("MLPClassifier", "hidden_layer_sizes", [BILLION], LAYERS),
    ("MLPClassifier", "hidden_layer_sizes", [10] * 1001, LAYERS),
    (
        "LogisticRegressionCV",
        "Cs",
        BILLION,
        f"{whole(1000)} or {several(POSITIVE)}",
    ),
]


@pytest.fixture
def wrong(tmp_path):
    """Return what is said about a recipe of these steps."""

    def wrong(*steps):
        path = tmp_path / "r.yaml"
        path.write_text("title: t\nsource: s\nsteps:\n" + "".join(f"- {step}\n" for step in steps))
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        return str(caught.value).removeprefix(f"{path}:")

    return wrong


@pytest.mark.parametrize(("before", "stage", "name", "value", "right"), STAGES)
def test_parameters_of_stages_that_would_take_all_memory(wrong, before, stage, name, value, right):
    message = f"The {name!r} parameter of {stage} must be {right}. Got {value!r} instead."
    assert wrong(*before, f"{stage}: {{{name}: {value}}}") == f"{len(before) + 4}: {message}"
    # In Python as in recipes.
    made = getattr(featx, stage)(**{name: value})
    with pytest.raises(InvalidParameterError) as caught:
        made.transform([np.zeros((64, 64, 1), np.float32)])
    assert str(caught.value) == message


@pytest.mark.parametrize(("estimator", "name", "value", "right"), ESTIMATORS_OF_RECIPES)
def test_parameters_of_estimators_that_would_take_all_memory(wrong, estimator, name, value, right):
    said = wrong(*VECTORS, f"{estimator}: {{{name}: {value}}}")
    message = f"6: The {name!r} parameter of {estimator} must be {right}. Got {value!r} instead."
    assert said == message if len(message) < 1000 else said.startswith(message[:490])


@pytest.mark.parametrize(
    "step",
    [
        "PCA: {n_components: 0.95}",
        "PCA: {n_components: mle}",
        "MLPClassifier: {hidden_layer_sizes: [100, 50], max_iter: 500}",
        "MLPClassifier: {hidden_layer_sizes: []}",
        "SVC: {max_iter: -1, degree: 3}",
        "RidgeClassifier: {max_iter: null}",
        "RandomForestClassifier: {n_jobs: -2, max_samples: 0.5, n_estimators: 1000}",
        "LogisticRegressionCV: {Cs: [0.1, 1, 10], l1_ratios: [0.0, 0.5]}",
        "RidgeClassifierCV: {alphas: [0.1, 1.0, 10.0]}",
    ],
)
def test_parameters_of_estimators_that_are_within_bounds(tmp_path, step):
    path = tmp_path / "r.yaml"
    path.write_text(f"title: t\nsource: s\nsteps: [ReadImages, HOG, {{{step}}}]\n")
    load_recipe(path)


def test_every_bound_is_of_a_parameter_that_exists():
    made = [getattr(import_module(module), name) for name, module in ESTIMATORS.items()]
    known = {name for one in made for name in inspect.signature(one.__init__).parameters}
    assert set(ESTIMATOR_BOUNDS) <= known


def test_numbers_that_are_too_much_together(wrong):
    assert wrong("ReadImages: {size: [60000, 60000]}") == (
        "4: ReadImages: size=[60000, 60000] has more pixels than max_pixels=89478485."
    )
    assert wrong("ReadImages", "ColorHistogram: {bins: 2000}") == (
        "5: ColorHistogram: bins=2000 and grid=[1, 1] result in more than 16777216 features. "
        "Use fewer bins, or joint=False."
    )
    assert wrong(GRAY, "GaborBank: {frequencies: [0.000001]}") == (
        "5: GaborBank: the largest kernel has 6746065 x 6746065 pixels, the limit is 4096 x 4096. "
        "Use higher frequencies, or a larger bandwidth or aspect_ratio."
    )


@pytest.mark.parametrize("encoder", ["BagOfWords", "LLC", "SuperVector", "VLAD", "FisherVector"])
def test_a_billion_words(wrong, encoder):
    name = "n_modes" if encoder == "FisherVector" else "n_words"
    assert wrong(*SIFT, f"{encoder}: {{{name}: {BILLION}}}") == (
        f"6: {encoder}: n_samples=100000 is too small for {name}=1000000000. Set n_samples to at "
        "least 1000000000."
    )


def test_a_billion_patches(wrong):
    assert wrong(GRAY, f"PatchDictionary: {{n_words: {BILLION}}}") == (
        "5: PatchDictionary: n_samples=100000 is too small for n_words=1000000000. Set n_samples "
        "to at least 1000000000."
    )


def test_long_lists(wrong):
    angles = ", ".join(["1.5"] * 2000)
    said = wrong(GRAY, f"OrientedEdges: {{orientations: [{angles}]}}")
    assert said.startswith(
        f"5: The 'orientations' parameter of OrientedEdges must be {whole(1000)} or "
        f"{several(ANGLE)}. Got [1.5, 1.5, "
    )
    # Nor is all of a wrong value said again.
    assert len(said) < 1100
    said = wrong(GRAY, f"Convolve: {{kernel: [{', '.join(['a'] * 2000)}]}}")
    assert said.startswith("5: The 'kernel' parameter of Convolve must be a finite array of ")
    assert len(said) < 1100
