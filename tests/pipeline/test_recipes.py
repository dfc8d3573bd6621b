import os

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from sklearn.pipeline import FeatureUnion, Pipeline

from featx import ReadImages, ScoreSum, Sobel, Stream, load_recipe
from featx.core.errors import RecipeError
from featx.io import bundled
from featx.pipeline.recipes import read_recipe
from featx.pipeline.registry import ESTIMATORS

HEAD = "title: A title\nsource: a source\nsteps:\n"


@pytest.fixture
def recipe(tmp_path):
    """Write steps, or a whole file, and give its path."""

    def write(steps, head=HEAD):
        path = tmp_path / "mine.yaml"
        path.write_bytes(f"{head}{steps}".encode())
        return path

    return write


@pytest.fixture
def wrong(recipe):
    """Give what is said about a recipe, after its path."""

    def wrong(steps, head=HEAD):
        path = recipe(steps, head)
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert str(caught.value).startswith(f"{path}:")
        return str(caught.value).removeprefix(f"{path}:")

    return wrong


# What is right.


def test_published_figures(recipe):
    head = "title: t\nsource: s\npublished: {fifteen scenes: 81.4, eight scenes: 84}\nsteps:\n"
    published = read_recipe(recipe("  - ReadImages\n  - HOG\n  - LinearSVC\n", head)).published
    assert published == {"fifteen scenes": 81.4, "eight scenes": 84.0}
    assert read_recipe("hog-svm").published == {}


@pytest.mark.parametrize("published", ["81.4", "[81.4]", "{fifteen scenes: good}"])
def test_published_figures_are_numbers(wrong, published):
    head = f"title: t\nsource: s\npublished: {published}\nsteps:\n"
    said = wrong("  - ReadImages\n  - HOG\n  - LinearSVC\n", head)
    assert (
        said
        == "3: 'published' must map tasks to accuracies in percent, such as {fifteen scenes: 81.4}."
    )


def write_stripes(path, upright, rng):
    """Write an image of stripes, as columns or as rows."""
    pixels = rng.integers(0, 50, (40, 40, 3), np.uint8)
    pixels[:, ::8] += 200
    Image.fromarray(pixels if upright else pixels.transpose(1, 0, 2)).save(path, "PNG")


def write_word(path, text, rng):
    """Write an image of a word, or of a wall as bright."""
    image = Image.fromarray(rng.integers(200, 220, (60, 150), np.uint8))
    if text:
        font = ImageFont.load_default(30)
        ImageDraw.Draw(image).text((10, 10), "Closed", 0, font)
    image.save(path, "PNG")


def write_tone(path, high, rng):
    """Write half a second of a high or a low tone."""
    wave = np.sin(2 * np.pi * (880 if high else 220) * np.arange(8000) / 16_000 + rng.uniform(0, 6))
    soundfile.write(path, wave / 2, 16_000, format="WAV")


@pytest.mark.parametrize("name", bundled.names("pipelines"))
def test_every_recipe_that_comes_with_featx(name, tmp_path):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert len(recipe.title) > 10
    assert len(recipe.source) > 10
    assert len(recipe.digest) == 16
    (read,) = recipe.steps[0]
    write = {"ReadImages": write_stripes, "ReadAudio": write_tone}[read]
    if name == "contains-text":
        write = write_word
    paths = [tmp_path / f"{index}" for index in range(6)]
    for index, path in enumerate(paths):
        write(path, index % 2, np.random.default_rng(index))
    pipeline = load_recipe(name).fit(paths, [0, 1] * 3)
    assert pipeline.predict(paths).tolist() == [0, 1] * 3


def test_recipes_have_different_digests_and_titles():
    recipes = [read_recipe(name) for name in bundled.names("pipelines")]
    assert len(recipes) >= 7
    assert len({recipe.digest for recipe in recipes}) == len(recipes)
    assert len({recipe.title for recipe in recipes}) == len(recipes)


def test_the_pipeline_is_that_of_the_file(recipe):
    path = recipe(
        "  - ReadImages: {size: [64, 48], mode: gray}\n"
        "  - Sobel:\n"
        "      axis: vertical\n"
        "  - Summarize:\n"
        "  - StandardScaler\n"
        "  - LogisticRegression: {C: 1e-3, max_iter: 200}\n"
    )
    pipeline = load_recipe(path)
    assert [name for name, _ in pipeline.steps] == [
        "stream",
        "standardscaler",
        "logisticregression",
    ]
    stream = pipeline[0]
    assert isinstance(stream, Stream)
    read, sobel, summarize = stream.stages
    expected = ReadImages(size=[64, 48], mode="gray")
    assert read.get_params() == expected.get_params()
    assert sobel.get_params() == Sobel("vertical").get_params()
    assert type(summarize).__name__ == "Summarize"
    assert pipeline[-1].C == 0.001
    assert pipeline[-1].max_iter == 200
    found = read_recipe(str(path))
    assert (found.name, found.title, found.source) == ("mine", "A title", "a source")
    assert found.path == path
    assert found.steps[0] == {"ReadImages": {"size": [64, 48], "mode": "gray"}}
    assert found.steps[3] == "StandardScaler"


def test_a_union(recipe):
    path = recipe(
        "  - ReadImages: {size: [32, 32], mode: gray}\n"
        "  - union:\n"
        "    - [Sobel, {Summarize: {statistics: [mean]}}]\n"
        "    - HOG: {pixels_per_cell: [16, 16], cells_per_block: [1, 1]}\n"
        "    - - union: [Sobel, GaussianBlur]\n"
        "      - Summarize: {statistics: [maximum]}\n"
        "  - LinearSVC\n"
    )
    union = load_recipe(path)[0].stages[1]
    assert isinstance(union, FeatureUnion)
    names = [name for name, _ in union.transformer_list]
    assert names == ["pipeline-1", "hog", "pipeline-2"]
    assert isinstance(union.transformer_list[0][1], Pipeline)
    images = np.random.default_rng(0).random((2, 32, 32, 1), np.float32)
    assert load_recipe(path)[0].fit_transform(images).shape == (2, 1 + 36 + 2)


def test_a_score_sum(recipe):
    path = recipe(
        "  - ReadImages: {size: [64, 64]}\n"
        "  - score_sum:\n"
        "    - [Grayscale, HOG, LinearSVC]\n"
        "    - [HOG, StandardScaler, SGDClassifier]\n"
        "    - [ColorSpace, SpatialPyramid, LinearSVC]\n"
    )
    pipeline = load_recipe(path)
    assert [type(stage).__name__ for stage in pipeline[0].stages] == ["ReadImages"]
    sum_of_scores = pipeline[1]
    assert isinstance(sum_of_scores, ScoreSum)
    assert [name for name, _ in sum_of_scores.pipelines] == ["grayscale", "hog", "colorspace"]
    steps = [
        [type(step).__name__ for step in (*one[0].stages, *one[1:])]
        for _, one in sum_of_scores.pipelines
    ]
    assert steps == [
        ["Grayscale", "HOG", "LinearSVC"],
        ["HOG", "StandardScaler", "SGDClassifier"],
        ["ColorSpace", "SpatialPyramid", "LinearSVC"],
    ]


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "1.0e-3", "0.001", ".1e-2"])
def test_numbers_with_an_exponent(recipe, number):
    path = recipe(f"  - ReadImages\n  - HOG\n  - LinearSVC: {{C: {number}}}\n")
    assert load_recipe(path)[-1].C == 0.001


def test_every_estimator_on_the_list_can_be_named(recipe):
    for name in ESTIMATORS:
        made = load_recipe(recipe(f"  - ReadImages: {{size: [32, 32]}}\n  - HOG\n  - {name}\n"))
        assert type(made[-1]).__name__ == name


def test_the_digest_is_of_the_steps(recipe):
    def digest(steps, head=HEAD):
        return read_recipe(recipe(steps, head)).digest

    steps = "  - ReadImages: {size: [64, 64], mode: gray}\n  - HOG\n"
    same = [
        steps,
        "  - ReadImages:\n      mode: 'gray'\n      size:\n      - 64\n      - 64\n  - HOG\n",
        "  # a remark\n  - {ReadImages: {mode: gray, size: [64, 64]}}\n\n  - HOG",
    ]
    assert {digest(text) for text in same} == {digest(steps)}
    assert digest(steps, "source: other\ntitle: other\nsteps:\n") == digest(steps)
    different = [
        steps.replace("gray", "rgb"),
        steps.replace("[64, 64]", "[64, 65]"),
        steps + "  - StandardScaler\n",
        steps.replace("- HOG", "- HOG: {pixels_per_cell: [4, 4]}"),
        "  - ReadImages: {size: [64, 64], mode: gray}\n  - union: [HOG, SpatialPyramid]\n",
        "  - ReadImages: {size: [64, 64], mode: gray}\n  - union: [SpatialPyramid, HOG]\n",
    ]
    assert len({digest(text) for text in [steps, *different]}) == 7


def test_a_name_is_found_before_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hog-svm").write_text("no recipe")
    assert read_recipe("hog-svm").path.parent == bundled.folder("pipelines")


# What is wrong: whole sentences, with the line.


def test_no_such_recipe(tmp_path):
    for name, hint in [
        ("vertical-line", "Did you mean vertical-lines?"),
        ("HOG-SVM", "Did you mean hog-svm?"),
        (str(tmp_path), None),
        ("qqq", f"Known: {', '.join(bundled.names('pipelines'))}."),
        ("x" * 5000, f"Known: {', '.join(bundled.names('pipelines'))}."),
        ("a\0b", f"Known: {', '.join(bundled.names('pipelines'))}."),
    ]:
        with pytest.raises(RecipeError) as caught:
            load_recipe(name)
        start = f"{name}: no such recipe or file. "
        assert str(caught.value).startswith(start)
        if hint:
            assert str(caught.value) == start + hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_recipe_that_may_not_be_read(recipe):
    path = recipe("")
    path.chmod(0)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value) == f"{path}: Permission denied."


READ = "  - ReadImages\n"
OWN = "Import your own stages with --plugin MODULE."
A_STEP = "a step must be a name, or a name with parameters: 'Sobel: {axis: vertical}'."


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        # Names and parameters.
        ("  - ReadImage\n", f"4: unknown stage 'ReadImage'. Did you mean ReadImages? {OWN}"),
        (READ + "  - sobel\n", f"5: unknown stage 'sobel'. Did you mean Sobel? {OWN}"),
        (READ + "  - Union: []\n", f"5: unknown stage 'Union'. Did you mean union? {OWN}"),
        (
            READ + "  - Sobel: {axes: both}\n",
            "5: Sobel has no parameter 'axes'. Did you mean axis?",
        ),
        (
            READ + "  - Sobel:\n      padding: zero\n      direction: both\n",
            "7: Sobel has no parameter 'direction'. Known: axis, padding.",
        ),
        (
            READ + "  - HOG\n  - LinearSVC: {C: -1}\n",
            "6: The 'C' parameter of LinearSVC must be a float in the range (0.0, inf). Got -1 "
            "instead.",
        ),
        (
            READ + "  - HOG\n  - LinearSVC: {C: small}\n",
            "6: The 'C' parameter of LinearSVC must be a float in the range (0.0, inf). Got "
            "'small' instead.",
        ),
        (
            "  - ReadImages: {size: [0, 5]}\n",
            "4: The 'size' parameter of ReadImages must be a list or tuple of 2 items, each an "
            "int in the range [1, 65536] or None. Got [0, 5] instead.",
        ),
        (
            READ + "  - Sobel: {axis: {deep: [1]}}\n",
            None,
        ),
        (
            READ + "  - Sobel: vertical\n",
            "5: the parameters of Sobel must be a mapping: {name: value, ...}.",
        ),
        (
            READ + "  - Sobel: [axis]\n",
            "5: the parameters of Sobel must be a mapping: {name: value, ...}.",
        ),
        (READ + "  - Sobel: {axis: both, axis: both}\n", "5: duplicate key 'axis'."),
        (
            READ + "  - Sobel: {[axis]: 1}\n",
            "5: the parameters of Sobel must be a mapping: {name: value, ...}.",
        ),
        (READ + "  - Sobel: {}\n    HOG: {}\n", f"5: {A_STEP}"),
        (READ + "  - [Sobel]\n", f"5: {A_STEP}"),
        (READ + "  - {}\n", f"5: {A_STEP}"),
        # What a recipe may not name.
        (
            READ + "  - HOG\n  - FunctionTransformer\n",
            f"6: unknown stage 'FunctionTransformer'. Did you mean QuantileTransformer? {OWN}",
        ),
        (READ + "  - Stream: {stages: []}\n", None),
        (READ + "  - os.system: {command: ls}\n", None),
        (
            READ + "  - !!python/object/apply:os.system [ls]\n",
            "5: tags (tag:yaml.org,2002:python/object/apply:os.system) are not allowed.",
        ),
        (
            READ + "  - Sobel: {axis: !!python/name:os.system }\n",
            "5: tags (tag:yaml.org,2002:python/name:os.system) are not allowed.",
        ),
        (READ + "  - !mine Sobel\n", "5: tags (!mine) are not allowed."),
        (READ + "  - Sobel: &a {axis: both}\n  - *a\n", "6: aliases (*a) are not allowed."),
        # The order of the steps.
        (
            "  - StandardScaler\n" + READ,
            "4: the first step must be a stage, such as ReadImages.",
        ),
        (
            READ + "  - LogisticRegression\n",
            "5: LogisticRegression requires vectors, but ReadImages outputs pixels.",
        ),
        (
            READ + "  - HOG\n  - Sobel\n",
            "6: Sobel requires maps, but HOG outputs vectors.",
        ),
        (
            READ + "  - HOG\n  - StandardScaler\n  - Sobel\n",
            "7: Sobel requires maps, but StandardScaler outputs vectors.",
        ),
        (
            READ + "  - Sobel\n" + READ,
            "6: ReadImages reads paths, so it must be the first step.",
        ),
        (
            READ + "  - HOG\n  - LinearSVC\n  - StandardScaler\n",
            "6: LinearSVC is not a transformer, so it must be the last step.",
        ),
        # Signals.
        (
            "  - ReadAudio\n  - GaussianBlur\n",
            "5: GaussianBlur requires maps, but ReadAudio outputs signals. For signals, pass "
            "sigma=[1.0], a list of one number.",
        ),
        (
            READ + "  - UniformBlur: {size: [5]}\n",
            "5: UniformBlur requires signals, but ReadImages outputs pixels.",
        ),
        (
            "  - ReadAudio\n  - LinearSVC\n",
            "5: LinearSVC requires vectors, but ReadAudio outputs signals.",
        ),
        (
            "  - ReadAudio: {rate: 16000}\n  - ToneBank\n",
            "5: ToneBank has rate=22050, but ReadAudio has rate=16000. Set equal rates.",
        ),
        # Sums of scores.
        (
            READ + "  - score_sum: [HOG]\n",
            "5: a score_sum must be a list of at least two branches.",
        ),
        (
            READ + "  - score_sum:\n    - [HOG, LinearSVC]\n    - [HOG, StandardScaler]\n",
            "7: StandardScaler has no decision_function. End each branch of score_sum with a "
            "classifier that has one.",
        ),
        (
            READ + "  - score_sum:\n    - [HOG, LinearSVC]\n    - [LinearSVC]\n",
            "7: the first step must be a stage, such as ReadImages.",
        ),
        (
            READ + "  - HOG\n  - score_sum:\n    - [HOG, LinearSVC]\n    - [HOG, LinearSVC]\n",
            "6: HOG requires maps, but HOG outputs vectors.",
        ),
        (
            READ + "  - score_sum:\n    - [HOG, Sobel, LinearSVC]\n    - [HOG, LinearSVC]\n",
            "6: Sobel requires maps, but HOG outputs vectors.",
        ),
        # Unions.
        (READ + "  - union: [HOG]\n", "5: a union must be a list of at least two branches."),
        (READ + "  - union: HOG\n", "5: a union must be a list of at least two branches."),
        (READ + "  - union:\n", "5: a union must be a list of at least two branches."),
        (
            READ + "  - union:\n    - HOG\n    - [Sobel, Summarise]\n",
            f"7: unknown stage 'Summarise'. Did you mean Summarize? {OWN}",
        ),
        (
            READ + "  - union:\n    - HOG\n    - [HOG, LinearSVC]\n",
            "5: LinearSVC is not a transformer, so it must be the last step.",
        ),
        (
            READ + "  - union:\n    - HOG\n    - Sobel\n  - StandardScaler\n",
            "8: StandardScaler requires vectors, but Sobel outputs maps.",
        ),
        (
            READ + "  - union:\n    - HOG\n    - [HOG, Sobel]\n",
            "5: Sobel requires maps, but HOG outputs vectors.",
        ),
        (
            READ + "  - union:\n    - HOG\n    - []\n",
            "7: a branch of a union must have at least one step.",
        ),
        # YAML.
        (
            READ + "  - Sobel: {axis: both\n  - HOG\n",
            "7: not valid YAML: expected ',' or '}', but got '<stream end>'.",
        ),
        (READ + "\t- Sobel\n", None),
        (
            READ + "  - Sobel: {axis: " + "[" * 5000,
            "5: nested too deeply. A recipe has at most 20 levels.",
        ),
        (READ + "  - HOG\n  - LinearSVC: {max_iter: " + "9" * 5000 + "}\n", None),
        (READ + "  - HOG: {orientations: 2020-13-45}\n", None),
        (READ + "  - Sobel: {axis: {[1]: 2}}\n", None),
    ],
)
def test_wrong_steps(wrong, steps, message):
    said = wrong(steps)
    if message is not None:
        assert said == message
    else:
        assert said[0].isdigit()
        assert "\n" not in said
        assert said.endswith((".", "?"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", " the file is empty. A recipe must have title, source and steps."),
        ("# nothing\n", " the file is empty. A recipe must have title, source and steps."),
        ("just text\n", "1: a recipe must be a mapping with title, source and steps."),
        ("- Sobel\n", "1: a recipe must be a mapping with title, source and steps."),
        ("title: a\nsource: b\n", " 'steps' must be a list of at least one step."),
        ("title: a\nsource: b\nsteps: []\n", " 'steps' must be a list of at least one step."),
        ("title: a\nsource: b\nsteps: HOG\n", " 'steps' must be a list of at least one step."),
        ("source: b\nsteps:\n  - HOG\n", " 'title' must be a line of text."),
        ("title: a\nsteps:\n  - HOG\n", " 'source' must be a line of text."),
        ("title:\nsource: b\nsteps:\n  - HOG\n", " 'title' must be a line of text."),
        ("title: [a]\nsource: b\nsteps: [HOG]\n", " 'title' must be a line of text."),
        ("tittle: a\nsteps: [HOG]\n", "1: unknown field 'tittle'. Did you mean title?"),
        (
            "title: a\nqqq: 1\n",
            "2: unknown field 'qqq'. Known: title, source, published, steps.",
        ),
        ("title: a\ntitle: b\n", "2: duplicate key 'title'."),
        ("[a]: b\n", "1: a recipe must be a mapping with title, source and steps."),
        ("<<: {title: a}\n", "1: unknown field '<<'. Known: title, source, published, steps."),
        ("a: 'b\n", None),
        ("title: a\n---\ntitle: b\n", "2: not valid YAML: but found another document."),
        ("title: a\0b\n", None),
        ("x" * 100_001, " the file is too large. A recipe has at most 100000 bytes."),
    ],
)
def test_wrong_files(wrong, text, message):
    said = wrong("", text)
    if message is not None:
        assert said == message
    else:
        assert ": not valid YAML: " in f":{said}"
        assert "\n" not in said


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value) == (
        f"{path}: not valid YAML: 'utf-8' codec can't decode byte 0x89 in position 0: invalid "
        "start byte."
    )


@given(st.text(max_size=200) | st.text("-:{}[]!&*'\"\n #abSobelunion,", max_size=200))
def test_any_text_is_a_recipe_or_an_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    for content in (text, HEAD + READ + "  - " + text):
        path.write_text(content, encoding="utf-8", newline="")
        try:
            load_recipe(path)
        except RecipeError as error:
            said = str(error)
            assert said.startswith(f"{path}:"), said
            assert "\n" not in said


def test_a_recipe_writes_no_file(wrong, tmp_path):
    assert wrong(f"  - ReadImages\n  - ConvNet: {{checkpoint: {tmp_path}/x}}\n") == (
        "5: ConvNet: 'checkpoint' is not allowed in a recipe, since it writes a file. Set it in "
        "Python."
    )
