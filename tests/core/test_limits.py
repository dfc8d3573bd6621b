"""Numbers that would take all memory are refused before any work."""

import inspect
from importlib import import_module

import pytest

import featx
from featx import load_recipe
from featx.core.errors import RecipeError
from featx.core.limits import LARGEST
from featx.pipeline.recipes import ESTIMATORS, stage_names

BILLION, MILLION = 10**9, 10**6
GRAY = "ReadImages: {mode: gray}"
SIFT = [GRAY, "DenseSIFT"]
VECTORS = [GRAY, "HOG"]
MOST = [
    ([], "ReadImages", "size", [MILLION, MILLION], 65536),
    ([], "ReadImages", "max_pixels", 10**18, 10**9),
    ([GRAY], "UniformBlur", "size", BILLION, 4096),
    ([GRAY], "LocalContrast", "size", BILLION + 1, 4096),
    ([GRAY], "GaussianBlur", "sigma", 1e9, 1000),
    ([GRAY], "GaussianBlur", "truncate", 1e12, 100),
    ([GRAY], "ScaleSpace", "sigmas", [1.0, 1e9], 1000),
    ([GRAY], "OrientedEdges", "orientations", MILLION, 1000),
    ([GRAY], "OrientedEdges", "sigma", 1e9, 1000),
    ([GRAY], "GaborBank", "orientations", MILLION, 1000),
    ([GRAY], "HOG", "orientations", MILLION, 1000),
    ([GRAY], "DenseHOG", "orientations", BILLION, 1000),
    ([GRAY], "GIST", "orientations_per_scale", [8, BILLION], 1000),
    ([GRAY], "GIST", "boundary_extension", BILLION, 10_000),
    ([GRAY], "EdgeDirections", "sigma", 1e9, 1000),
    ([GRAY], "CENTRIST", "levels", BILLION, 1000),
    ([GRAY], "SIFT", "sigma", 1e9, 1000),
    ([GRAY], "DenseSIFT", "image_scales", [1.0, 1e6], 16),
    (SIFT, "VLAD", "pyramid", [[BILLION, BILLION]], 100),
    (SIFT, "FisherVector", "n_components", BILLION, 100_000),
    (VECTORS, "PCA", "n_components", BILLION, 100_000),
    (VECTORS, "TruncatedSVD", "n_components", BILLION, 100_000),
    (VECTORS, "TruncatedSVD", "n_oversamples", BILLION, 100_000),
    (VECTORS, "RBFSampler", "n_components", BILLION, 100_000),
    (VECTORS, "Nystroem", "n_jobs", BILLION, 1000),
    (VECTORS, "AdditiveChi2Sampler", "sample_steps", BILLION, 1000),
    (VECTORS, "KernelMap", "order", BILLION, 1000),
    (VECTORS, "PolynomialFeatures", "degree", BILLION, 10),
    (VECTORS, "RandomForestClassifier", "n_estimators", BILLION, 100_000),
    (VECTORS, "HistGradientBoostingClassifier", "max_iter", BILLION, 1_000_000),
    (VECTORS, "MLPClassifier", "hidden_layer_sizes", [BILLION], 10_000),
    (VECTORS, "LogisticRegressionCV", "Cs", BILLION, 1000),
    ([GRAY], "ConvNet", "architecture_params", {"channels": BILLION}, 10_000),
    (["ReadAudio: {rate: 8000}"], "ToneBank", "window_length", BILLION, 2**24),
]


@pytest.fixture
def wrong(tmp_path):
    """Give what is said about a recipe of these steps."""

    def wrong(*steps):
        path = tmp_path / "r.yaml"
        path.write_text("title: t\nsource: s\nsteps:\n" + "".join(f"- {step}\n" for step in steps))
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        return str(caught.value).removeprefix(f"{path}:")

    return wrong


@pytest.mark.parametrize(("before", "stage", "name", "value", "largest"), MOST)
def test_numbers_that_would_take_all_memory(wrong, before, stage, name, value, largest):
    assert wrong(*before, f"{stage}: {{{name}: {value}}}") == (
        f"{len(before) + 4}: The {name!r} parameter of {stage} may be {largest} at most. "
        f"Got {value!r} instead."
    )


def test_every_limit_is_of_a_parameter_that_exists():
    made = [getattr(featx, name) for name in stage_names()]
    made += [getattr(import_module(module), name) for name, module in ESTIMATORS.items()]
    known = {name for one in made for name in inspect.signature(one.__init__).parameters}
    assert set(LARGEST) <= known


def test_numbers_that_are_too_much_together(wrong):
    assert wrong("ReadImages: {size: [60000, 60000]}") == (
        "4: ReadImages: size=[60000, 60000] has more pixels than max_pixels=89478485."
    )
    assert wrong("ReadImages", "ColorHistogram: {bins: 2000}") == (
        "5: ColorHistogram: bins=2000 and grid=[1, 1] make vectors of more than 16777216 numbers. "
        "Use fewer bins, or joint=False."
    )
    assert wrong(GRAY, "GaborBank: {frequencies: [0.000001]}") == (
        "5: GaborBank: with these parameters a kernel has 6746065 x 6746065 pixels, and may have "
        "4096 x 4096. Use higher frequencies, or a larger bandwidth or aspect_ratio."
    )


@pytest.mark.parametrize("encoder", ["BagOfWords", "LLC", "SuperVector", "VLAD", "FisherVector"])
def test_a_billion_words(wrong, encoder):
    name = "n_modes" if encoder == "FisherVector" else "n_words"
    assert wrong(*SIFT, f"{encoder}: {{{name}: {BILLION}}}") == (
        f"6: {encoder}: {name}=1000000000 needs at least as many descriptors to learn from, but "
        "n_samples=100000."
    )


def test_a_billion_patches(wrong):
    assert wrong(GRAY, f"PatchDictionary: {{n_words: {BILLION}}}") == (
        "5: PatchDictionary: n_words=1000000000 needs at least as many patches to learn from, but "
        "n_samples=100000."
    )


def test_long_lists(wrong):
    sigmas = ", ".join(["1.5"] * 2000)
    assert wrong(GRAY, f"OrientedEdges: {{orientations: [{sigmas}]}}") == (
        "5: The 'orientations' parameter of OrientedEdges may have 1000 items, but has 2000."
    )
    # Nor is all of a wrong value said again.
    said = wrong(GRAY, f"Convolve: {{kernel: [{', '.join(['a'] * 2000)}]}}")
    assert said.startswith("5: The 'kernel' parameter of Convolve must be a finite array of ")
    assert len(said) < 1100
