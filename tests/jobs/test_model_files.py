import csv as csv_module
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module, invalidate_caches
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import skops.io
from PIL import Image
from pyarrow import csv, parquet
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

import featx
from featx import (
    HOG,
    DenseSIFT,
    FisherVector,
    GramSVC,
    ReadImages,
    Rectify,
    ScoreSum,
    Sobel,
    SpatialPyramid,
    Stream,
    Summarize,
    load_recipe,
)
from featx.core.errors import ModelError, OutputError
from featx.evaluation.metrics import balanced_accuracy
from featx.io import bundled
from featx.jobs.evaluate import evaluate
from featx.jobs.model_files import load_model, save_model
from featx.jobs.predict import write_predictions
from featx.jobs.train import train
from featx.pipeline.fitting import class_scores, split
from featx.pipeline.recipes import read_recipe
from featx.pipeline.registry import ESTIMATORS


def message(function, *arguments, kind=ModelError):
    with pytest.raises(kind) as error:
        function(*arguments)
    return str(error.value)


def draw(count=60, classes=3, size=16):
    """Draw noise whose brightness and stripes depend on the class, and name the classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 1), np.uint8)
    labels = np.arange(count) % classes
    images[labels == 1, : size // 2] //= 3
    images[labels == 2, :, : size // 2] //= 3
    return images, np.array(["a", "b", "c"])[labels]


def hog():
    return Stream([HOG(pixels_per_cell=(8, 8), cells_per_block=(1, 1))])


def pyramid():
    return Stream([ReadImages(size=(16, 16), mode="gray"), SpatialPyramid(levels=[2])])


@pytest.fixture
def folder(tmp_path):
    """Write twelve images of three classes, of which 0, 7 and 11 are broken."""
    images, labels = draw(12)
    paths = [str(tmp_path / f"{index:02}.png") for index in range(12)]
    for image, path in zip(images, paths, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    for index in (0, 7, 11):
        Path(paths[index]).write_bytes(b"broken")
    return paths, labels


KEPT = [1, 2, 3, 4, 5, 6, 8, 9, 10]


class TestSplit:
    def test_a_recipe(self):
        pipeline = load_recipe("vertical-lines")
        pipeline[0].set_params(chunk_size=7, n_jobs=2)
        fixed, steps = split(pipeline)
        assert [*fixed.stages] == [*pipeline[0].stages]
        assert (fixed.chunk_size, fixed.n_jobs) == (7, 2)
        assert steps == [*pipeline[1:]]

    def test_a_stage_that_learns(self):
        stages = [Sobel(), Summarize(), PCA(1), StandardScaler()]
        fixed, steps = split(make_pipeline(Stream(stages, chunk_size=3), LinearSVC()))
        assert fixed.stages == stages[:2]
        assert isinstance(steps[0], Stream)
        assert steps[0].stages == stages[2:]
        assert steps[0].chunk_size == 3
        assert isinstance(steps[1], LinearSVC)
        assert len(steps) == 2

    def test_no_stream(self):
        assert message(split, make_pipeline(LinearSVC())) == (
            "The first step must be a Stream of stages, but it is LinearSVC()."
        )


class TestTrain:
    def test_equals_fitting_by_hand(self):
        images, labels = draw()
        pipeline = make_pipeline(hog(), StandardScaler(), LinearSVC(random_state=0))
        model, refused = train(pipeline, images, labels)
        assert refused == []
        by_hand = make_pipeline(hog(), StandardScaler(), LinearSVC(random_state=0))
        by_hand.fit(images, labels)
        np.testing.assert_array_equal(
            model.decision_function(images), by_hand.decision_function(images)
        )
        assert model.predict(images).tolist() == by_hand.predict(images).tolist()
        assert model[0].get_feature_names_out().shape == (36,)

    def test_a_stage_that_learns(self):
        images, labels = draw()
        stages = [*hog().stages, PCA(3)]
        model, _ = train(make_pipeline(Stream(stages), GaussianNB()), images, labels)
        vectors = hog().fit_transform(images)
        expected = make_pipeline(PCA(3), GaussianNB()).fit(vectors, labels).predict_proba(vectors)
        # A matrix product depends in its last bits on how many images it takes at a time.
        np.testing.assert_allclose(model.predict_proba(images), expected, rtol=1e-4)

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_refused_images_are_left_out(self, folder, n_jobs):
        paths, labels = folder
        told = []
        pipeline = make_pipeline(pyramid(), GaussianNB())
        model, refused = train(pipeline, paths, labels, n_jobs, told.append)
        assert [one.path for one in refused] == [paths[i] for i in (0, 7, 11)]
        assert {one.reason for one in refused} == {"not-an-image"}
        assert sum(told) == 12
        kept = [paths[i] for i in KEPT]
        expected = make_pipeline(pyramid(), GaussianNB()).fit(kept, labels[KEPT])
        np.testing.assert_array_equal(model.predict_proba(kept), expected.predict_proba(kept))

    def test_encoders_learn_from_what_is_readable(self, folder):
        paths, labels = folder
        Image.fromarray(np.zeros((12, 40), np.uint8)).save(paths[4])
        stages = [ReadImages(mode="gray"), DenseSIFT(2, [4]), FisherVector(2)]
        model, refused = train(make_pipeline(Stream(stages), GramSVC()), paths, labels, 2)
        assert [one.path for one in refused] == [paths[i] for i in (0, 4, 7, 11)]
        assert refused[1].detail == (
            "DenseSIFT needs at least 13 x 13 pixels with these parameters, but image 0 is "
            "12 x 40 pixels."
        )
        kept = [paths[i] for i in KEPT if i != 4]
        expected = make_pipeline(Stream(stages), GramSVC()).fit(
            kept, labels[[*map(paths.index, kept)]]
        )
        np.testing.assert_array_equal(
            model.decision_function(kept), expected.decision_function(kept)
        )

    def test_one_class(self):
        images, _ = draw(6)
        pipeline = make_pipeline(hog(), LinearSVC())
        end = "Put the images of each class into a sub-folder of its own."
        assert message(train, pipeline, images, ["a"] * 6) == (
            "A classifier needs images of two classes at least, but there is only one, 'a'. " + end
        )
        assert message(train, pipeline, [], []) == (
            "A classifier needs images of two classes at least, but there is none. " + end
        )

    def test_one_class_that_can_be_read(self, folder):
        paths = [folder[0][i] for i in (0, 1, 4, 7)]
        assert message(train, make_pipeline(pyramid(), LinearSVC()), paths, [*"abba"]) == (
            "A classifier needs images of two classes at least, but there is only one, 'b'. Put "
            "the images of each class into a sub-folder of its own."
        )

    def test_all_refused(self, folder):
        paths = [folder[0][i] for i in (0, 7)]
        assert message(train, make_pipeline(pyramid(), LinearSVC()), paths, ["a", "b"]) == (
            f"All 2 images are refused. The first: {paths[0]}: not-an-image: its content is of no "
            "known format. Known formats: JPEG, PNG, GIF, TIFF, BMP, WebP and PPM/PGM/PBM, "
            "complete and not damaged."
        )

    @pytest.mark.parametrize("steps", [[], [StandardScaler()]])
    def test_no_classifier(self, steps):
        assert message(train, make_pipeline(hog(), *steps), *draw(6)) == (
            "The recipe has no classifier. End it with one, such as LinearSVC."
        )


def check_kept(model, images, file):
    """Check that a model that is written and read again predicts the same, bit for bit."""
    save_model(model, file)
    loaded = load_model(file)
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert loaded.predict(images).tolist() == model.predict(images).tolist()
    kind, expected = class_scores(model[1:], model[0].transform(images))
    loaded_kind, scores = class_scores(loaded[1:], loaded[0].transform(images))
    assert loaded_kind == kind
    np.testing.assert_array_equal(scores, expected)


SHIPPED = [
    name for name in bundled.names("pipelines") if "ReadImages" in read_recipe(name).steps[0]
]
PARAMETERS = {
    "MLPClassifier": {"max_iter": 3},
    "Nystroem": {"n_components": 5},
    "QuadraticDiscriminantAnalysis": {"reg_param": 0.5},
    "QuantileTransformer": {"n_quantiles": 10},
    "HistGradientBoostingClassifier": {"max_iter": 3},
    "RandomForestClassifier": {"n_estimators": 5},
    "ExtraTreesClassifier": {"n_estimators": 5},
    "LogisticRegressionCV": {"Cs": 2, "cv": 2},
    "PCA": {"n_components": 3},
}
OTHERS = [
    ("CalibratedClassifierCV", {"method": "isotonic"}),
    ("CalibratedClassifierCV", {"ensemble": False}),
    ("DecisionTreeClassifier", {"random_state": 0}),
    ("HistGradientBoostingClassifier", {"early_stopping": True, "max_iter": 3}),
    ("KNeighborsClassifier", {"algorithm": "ball_tree"}),
    ("KNeighborsClassifier", {"algorithm": "brute", "metric": "cosine"}),
    *(("KNeighborsClassifier", {"p": p}) for p in (1, 3)),
    *(
        ("KNeighborsClassifier", {"metric": metric})
        for metric in ("braycurtis", "canberra", "chebyshev", "hamming", "manhattan")
    ),
    ("LinearDiscriminantAnalysis", {"solver": "lsqr", "shrinkage": "auto"}),
    ("MLPClassifier", {"solver": "sgd", "max_iter": 3}),
    ("MLPClassifier", {"early_stopping": True, "max_iter": 3}),
    ("NearestCentroid", {"metric": "manhattan"}),
    ("PCA", {"n_components": 0.9}),
    ("PowerTransformer", {"method": "yeo-johnson"}),
    ("RidgeClassifierCV", {"cv": 2}),
    *(
        ("SGDClassifier", {"loss": loss, "random_state": 0})
        for loss in ("log_loss", "modified_huber", "squared_hinge", "perceptron", "huber")
    ),
    ("SGDClassifier", {"average": True}),
    ("SVC", {"kernel": "poly", "class_weight": "balanced"}),
    ("SVC", {"decision_function_shape": "ovo"}),
]


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::FutureWarning"
)
@pytest.mark.parametrize(
    ("name", "parameters"),
    [*((name, PARAMETERS.get(name, {})) for name in ESTIMATORS), *OTHERS],
    ids=str,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_estimators_are_kept(tmp_path, name, parameters, classes):
    images, labels = draw(120, classes)
    estimator = getattr(import_module(ESTIMATORS[name]), name)(**parameters)
    steps = [estimator] if hasattr(estimator, "predict") else [estimator, LogisticRegression()]
    model, _ = train(make_pipeline(hog(), *steps), images, labels)
    check_kept(model, images, tmp_path / "model.skops")


@pytest.mark.parametrize("name", SHIPPED)
def test_recipes_are_kept(tmp_path, name):
    images, labels = draw(8, 2, 64)
    images = images.repeat(3, axis=3)
    recipe = load_recipe(name)
    # What mixtures of Gaussians come to is not the question.
    rounds = [key for key in recipe.get_params() if key.endswith("vector__max_iter")]
    model, _ = train(recipe.set_params(**dict.fromkeys(rounds, 1)), images, labels)
    check_kept(model, images, tmp_path / "model.skops")


def test_a_stage_that_learns_is_kept(tmp_path):
    images, labels = draw()
    pipeline = make_pipeline(Stream([*hog().stages, PCA(3, svd_solver="full")]), GaussianNB())
    model, _ = train(pipeline, images, labels)
    check_kept(model, images, tmp_path / "model.skops")


def test_a_sum_of_scores_is_kept(tmp_path):
    images, labels = draw()
    branches = [
        (name, make_pipeline(one, LinearSVC())) for name, one in (("a", hog()), ("b", pyramid()))
    ]
    reading = Stream([ReadImages(size=(16, 16))])
    model, refused = train(make_pipeline(reading, ScoreSum(branches)), images, labels, n_jobs=2)
    assert refused == []
    check_kept(model, images, tmp_path / "model.skops")


def test_what_cannot_be_kept_is_told(tmp_path):
    images, labels = draw()
    scored = HistGradientBoostingClassifier(max_iter=2, early_stopping=True, scoring="accuracy")
    model, _ = train(make_pipeline(hog(), scored), images, labels)
    assert message(save_model, model, tmp_path / "m.skops") == (
        "The fitted model cannot be kept in a file (RecursionError). Give its last steps other "
        "parameters; define stages of your own at the top level of a module."
    )
    own = KNeighborsClassifier(metric=np.dot)
    model, _ = train(make_pipeline(hog(), own), images, labels)
    assert message(save_model, model, tmp_path / "m.skops") == (
        "The fitted model cannot be kept in a file (numpy.dot). Give its last steps other "
        "parameters; define stages of your own at the top level of a module."
    )
    assert [*tmp_path.iterdir()] == []


class Owned:
    """Would write a file if it were ever made."""

    path = ""

    def __init__(self):
        Path(self.path).touch()

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)

    def __setstate__(self, state):
        Path(self.path).touch()


def dump(content, file, **about):
    """Write what may be no model as if featx had written it."""
    data = skops.io.dumps(content)
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w") as target:
        target.writestr("featx.json", json.dumps({"format": 1, "featx_version": "0.0.9"} | about))
        for name in source.namelist():
            text = source.read(name)
            for module in (b"featx.descriptors.hog", b"featx.pipeline.stream"):
                text = text.replace(b'"%s"' % module, b'"featx"')
            target.writestr(name, text)


def edit(file, *replacements, about=None):
    """Replace texts in the tree of a model's types, and what the file says of itself."""
    with zipfile.ZipFile(file) as source:
        members = {name: source.read(name) for name in source.namelist()}
    for old, new in replacements:
        assert old.encode() in members["schema.json"]
        members["schema.json"] = members["schema.json"].replace(old.encode(), new.encode())
    if about is not None:
        members["featx.json"] = about.encode()
    with zipfile.ZipFile(file, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)


VERSIONS = (
    f"It was written by featx 0.0.9, and this is featx {featx.__version__}. Load it with the "
    "versions that wrote it, or train it again."
)


class TestLoading:
    @pytest.mark.parametrize(
        ("function", "name"), [(os.system, "posix.system"), (print, "builtins.print")]
    )
    def test_functions_are_refused(self, tmp_path, function, name):
        file = tmp_path / "m.skops"
        images, labels = draw(6, 2)
        model, _ = train(make_pipeline(hog(), GaussianNB()), images, labels)
        model.steps.insert(1, ("evil", FunctionTransformer(function)))
        dump(model, file)
        assert message(load_model, file) == (
            f"{file}: not loaded, since it asks for what is no part of featx: {name}."
        )

    def test_classes_are_refused_and_nothing_runs(self, tmp_path, monkeypatch):
        file, sign = tmp_path / "m.skops", tmp_path / "sign"
        monkeypatch.setattr(Owned, "path", str(sign))
        owned = object.__new__(Owned)
        owned.x = 1
        dump(Pipeline([("stream", hog()), ("evil", owned)]), file)
        name = f"{Owned.__module__}.Owned"
        assert message(load_model, file) == (
            f"{file}: not loaded, since it holds {name}, which featx does not know. If you trust "
            f"their code: load_model(file, trusted=['{name}']), or --plugin {Owned.__module__} on "
            "the command line."
        )
        assert not sign.exists()
        # Trust is for stages and estimators only.
        assert message(load_model, file, [Owned]) == (
            f"{file}: not loaded: it holds {name}, which is neither stage nor estimator. {VERSIONS}"
        )
        assert not sign.exists()

    def test_other_parts_of_featx_are_refused(self, tmp_path):
        file = tmp_path / "m.skops"
        dump(Pipeline([("stream", hog()), ("f", FunctionTransformer(save_model))]), file)
        assert message(load_model, file) == (
            f"{file}: not loaded, since it asks for what is no part of featx: "
            "featx.jobs.model_files.save_model."
        )

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (LogisticRegression(), "LogisticRegression"),
            ({"a": 1}, "dict"),
            (hog(), "Stream"),
            (make_pipeline(LogisticRegression()), "another pipeline"),
            (make_pipeline(hog()), "another pipeline"),
            (make_pipeline(hog(), LogisticRegression()), "another pipeline"),
        ],
    )
    def test_other_objects(self, tmp_path, content, found):
        file = tmp_path / "m.skops"
        dump(content, file)
        assert message(load_model, file) == (
            f"{file}: not a model that featx train wrote, but {found}."
        )

    def test_other_files(self, tmp_path):
        file = tmp_path / "m.skops"
        assert message(load_model, file) == f"{file}: there is no such file."
        assert message(load_model, tmp_path) == f"{tmp_path}: there is no such file."
        for content in (b"", b"text"):
            file.write_bytes(content)
            assert message(load_model, file) == (
                f"{file}: not a model that featx train wrote (File is not a zip file)."
            )
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("other.txt", "text")
        assert message(load_model, file) == (
            f"{file}: not a model that featx train wrote (\"There is no item named 'featx.json' "
            'in the archive").'
        )

    def test_parts_of_a_file(self, tmp_path):
        whole, part = tmp_path / "whole.skops", tmp_path / "part.skops"
        images, labels = draw(6, 2)
        save_model(train(make_pipeline(hog(), GaussianNB()), images, labels)[0], whole)
        part.write_bytes(whole.read_bytes()[:-100])
        assert message(load_model, part).startswith(f"{part}: not a model that featx train wrote (")
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(part, "w") as target:
            for name in ("featx.json", "schema.json"):
                target.writestr(name, source.read(name))
        assert message(load_model, part).startswith(f"{part}: not a model that featx train wrote (")


class TestVersions:
    @pytest.fixture
    def file(self, tmp_path):
        images, labels = draw(6, 2)
        model, _ = train(make_pipeline(hog(), GaussianNB()), images, labels)
        save_model(model, tmp_path / "m.skops")
        return tmp_path / "m.skops"

    def test_what_the_file_says_of_itself(self, file):
        with zipfile.ZipFile(file) as archive:
            assert archive.namelist()[0] == "featx.json"
            assert json.loads(archive.read("featx.json")) == {
                "format": 1,
                "featx_version": featx.__version__,
            }
            schema = archive.read("schema.json").decode()
        # No module of featx but featx itself: they may move.
        assert set(re.findall(r"featx[\w.]*", schema)) == {"featx"}
        known = ["featx.HOG", "featx.Stream"]
        assert skops.io.get_untrusted_types(file=file) == known
        images, _ = draw(6, 2)
        found = skops.io.load(file, trusted=known).predict(images)
        assert found.tolist() == load_model(file).predict(images).tolist()

    def test_a_newer_format(self, file):
        edit(file, about='{"format": 2, "featx_version": "9.1"}')
        assert message(load_model, file) == (
            f"{file}: not loaded: its format is 2, newer than 1. It was written by featx 9.1, and "
            f"this is featx {featx.__version__}. Load it with the versions that wrote it, or train "
            "it again."
        )

    @pytest.mark.parametrize(
        ("about", "said"),
        [
            ("{}", "featx.json has no format number"),
            ("[]", "featx.json has no format number"),
            ('{"format": true}', "featx.json has no format number"),
            ('{"format": "1"}', "featx.json has no format number"),
            ('"' + "x" * 10_000 + '"', "featx.json has more than 10000 bytes"),
        ],
    )
    def test_a_file_that_says_nothing_of_itself(self, file, about, said):
        edit(file, about=about)
        assert message(load_model, file) == f"{file}: not a model that featx train wrote ({said})."

    @pytest.mark.parametrize(
        ("replacements", "said"),
        [
            ([('"HOG"', '"HOGG"')], "it holds featx.HOGG, which this featx does not have"),
            (
                [('"orientations":', '"bins":')],
                "a value for the parameter 'orientations' of featx.HOG is missing and featx.HOG "
                "has no parameter 'bins'",
            ),
            (
                [('"orientations":', '"orientations_":')],
                "a value for the parameter 'orientations' of featx.HOG is missing",
            ),
            (
                [('"chunk_size":', '"chunks":')],
                "a value for the parameter 'chunk_size' of featx.Stream is missing and "
                "featx.Stream has no parameter 'chunks'",
            ),
        ],
    )
    def test_a_stage_or_a_parameter_that_is_gone(self, file, replacements, said):
        edit(file, *replacements, about='{"format": 1, "featx_version": "0.0.9"}')
        assert message(load_model, file) == f"{file}: not loaded: {said}. {VERSIONS}"

    def test_modules_that_move(self, tmp_path):
        """A model is loaded by a featx in which the stage's module has another name."""
        images, labels = draw(6, 2)
        stages = Stream([Rectify(), *hog().stages])
        model, _ = train(make_pipeline(stages, GaussianNB()), images, labels)
        save_model(model, tmp_path / "m.skops")
        moved = tmp_path / "featx"
        shutil.copytree(Path(featx.__file__).parent, moved)
        (moved / "filters" / "rectify.py").rename(moved / "filters" / "rectification.py")
        stub = moved / "__init__.pyi"
        stub.write_text(stub.read_text().replace("filters.rectify ", "filters.rectification "))
        program = "import featx; print(featx.load_model('m.skops')[0].stages[0].__module__)"
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        assert (run.stdout, run.stderr) == ("featx.filters.rectification\n", "")

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
    def test_a_file_of_the_first_format(self):
        """A model that the first version wrote; tests/data/write.py says how."""
        data = Path(__file__).parents[1] / "data"
        model = load_model(data / "model-format-1.skops")
        with np.load(data / "model-format-1.npz") as expected:
            assert model.predict(expected["images"]).tolist() == expected["predictions"].tolist()
            scores = model.decision_function(expected["images"])
            np.testing.assert_allclose(scores, expected["scores"], rtol=1e-4, atol=1e-5)


OWN = """
import numpy as np
from featx import ImageStage

class Brightness(ImageStage):
    takes, gives = "pixels", "vectors"

    def __init__(self, factor=1.0):
        self.factor = factor

    def _fit(self, images, y):
        self.{learned} = float(np.mean([image.mean() for image in images]))

    def _transform_one(self, image):
        return np.float32([self.factor * image.mean() - self.{learned}])
"""


class TestOwnStages:
    @pytest.fixture
    def make(self, tmp_path, monkeypatch):
        """Give a function that writes a module with a stage, and trains a model with it."""
        monkeypatch.syspath_prepend(tmp_path)

        def make(learned="mean_"):
            (tmp_path / "own_stages.py").write_text(OWN.format(learned=learned))
            invalidate_caches()
            stage = import_module("own_stages").Brightness(2.0)
            images, labels = draw(6, 2)
            return train(make_pipeline(Stream([stage]), GaussianNB()), images, labels)[0], images

        yield make
        sys.modules.pop("own_stages", None)

    def test_it_is_loaded_if_it_is_trusted(self, make, tmp_path):
        model, images = make()
        file = tmp_path / "m.skops"
        save_model(model, file)
        name = "own_stages.Brightness"
        for trusted in ([name], {name, "other.Stage"}, name, [type(model[0].stages[0])]):
            loaded = load_model(file, trusted)
            assert loaded.predict(images).tolist() == model.predict(images).tolist()
        assert skops.io.get_untrusted_types(file=file) == ["featx.Stream", name]
        del sys.modules["own_stages"]
        for trusted in (None, [], ["Brightness"], ["own_stages"]):
            assert message(load_model, file, trusted) == (
                f"{file}: not loaded, since it holds own_stages.Brightness, which featx does not "
                "know. If you trust their code: load_model(file, "
                "trusted=['own_stages.Brightness']), or --plugin own_stages on the command line."
            )
        assert "own_stages" not in sys.modules
        load_model(file, [name])

    def test_it_cannot_be_imported(self, make, tmp_path):
        model, _ = make()
        file = tmp_path / "m.skops"
        save_model(model, file)
        del sys.modules["own_stages"]
        (tmp_path / "own_stages.py").unlink()
        invalidate_caches()
        assert message(load_model, file, ["own_stages.Brightness"]) == (
            f"{file}: not loaded, since own_stages cannot be imported (ModuleNotFoundError: No "
            "module named 'own_stages'), from which it needs Brightness. Install it, or add its "
            "folder to sys.path."
        )
        (tmp_path / "own_stages.py").write_text("Brightness = 3")
        invalidate_caches()
        here = featx.__version__
        assert message(load_model, file, ["own_stages.Brightness"]) == (
            f"{file}: not loaded: it holds own_stages.Brightness, which is neither stage nor "
            f"estimator. It was written by featx {here}, and this is featx {here}. Load it with "
            "the versions that wrote it, or train it again."
        )

    def test_its_parameters_are_checked(self, make, tmp_path):
        model, _ = make()
        file = tmp_path / "m.skops"
        save_model(model, file)
        edit(file, ('"factor":', '"scale":'))
        assert message(load_model, file, ["own_stages.Brightness"]).startswith(
            f"{file}: not loaded: a value for the parameter 'factor' of own_stages.Brightness is "
            "missing and own_stages.Brightness has no parameter 'scale'. It was written by featx "
        )

    def test_what_is_learned_ends_with_an_underscore(self, make, tmp_path):
        model, _ = make(learned="mean")
        assert message(save_model, model, tmp_path / "m.skops") == (
            "The fitted model cannot be kept in a file: own_stages.Brightness has no parameter "
            "'mean'. Store each parameter of __init__ under its own name, and end the names of "
            "what is learned with _."
        )
        assert not (tmp_path / "m.skops").exists()

    def test_it_is_at_the_top_of_a_module(self, tmp_path):
        class Local(SpatialPyramid):
            pass

        images, labels = draw(6, 2)
        pipeline = make_pipeline(Stream([Local([2])]), GaussianNB())
        model, _ = train(pipeline, images, labels)
        assert message(save_model, model, tmp_path / "m.skops") == (
            f"The fitted model cannot be kept in a file ({__name__}.Local). Give its last steps "
            "other parameters; define stages of your own at the top level of a module."
        )


class TestEvaluation:
    def test_equals_scikit_learn(self, folder):
        paths, labels = folder
        kept = [paths[i] for i in KEPT]
        model, _ = train(make_pipeline(pyramid(), SVC(C=0.01)), kept, labels[KEPT])
        rng = np.random.default_rng(0)
        truth = rng.permutation(labels)
        told = []
        evaluation = evaluate(model, paths, truth, 2, told.append)
        predicted = model.predict(kept)
        assert evaluation.images == 9
        assert evaluation.classes == ["a", "b", "c"]
        assert evaluation.confusion.tolist() == confusion_matrix(truth[KEPT], predicted).tolist()
        assert evaluation.accuracy == np.mean(truth[KEPT] == predicted)
        assert evaluation.balanced_accuracy == pytest.approx(
            balanced_accuracy_score(truth[KEPT], predicted), abs=1e-15
        )
        assert [one.path for one in evaluation.refused] == [paths[i] for i in (0, 7, 11)]
        assert sum(told) == 12

    def test_classes_without_images(self):
        images, labels = draw()
        model, _ = train(make_pipeline(hog(), GaussianNB()), images, labels)
        only = labels == "b"
        evaluation = evaluate(model, images[only], labels[only])
        predicted = model.predict(images[only])
        assert evaluation.confusion.tolist() == [
            [0, 0, 0],
            [int(np.sum(predicted == name)) for name in "abc"],
            [0, 0, 0],
        ]
        assert evaluation.accuracy == evaluation.balanced_accuracy == np.mean(predicted == "b")

    def test_errors(self, folder):
        paths, labels = folder
        kept = [paths[i] for i in KEPT]
        model, _ = train(make_pipeline(pyramid(), GaussianNB()), kept, labels[KEPT])
        assert message(evaluate, model, paths[:2], ["a", "d"]) == (
            "The model knows no class 'd'; it knows a, b, c. Merge or select classes with labels."
        )
        assert message(evaluate, model, paths[:1], ["a"]).startswith(
            f"All 1 images are refused. The first: {paths[0]}: not-an-image: "
        )

    def test_printed(self):
        images, labels = draw()
        model, _ = train(make_pipeline(hog(), KNeighborsClassifier(1)), images, labels)
        assert str(evaluate(model, images, labels)) == (
            "accuracy 100.0%, balanced 100.0%, of 60 images; a row is a true class, a column a "
            "prediction\n"
            "a     20      0      0\n"
            "b      0     20      0\n"
            "c      0      0     20"
        )

    @pytest.mark.parametrize("seed", range(5))
    def test_balanced_accuracy(self, seed):
        rng = np.random.default_rng(seed)
        truth, predicted = rng.integers(0, 4, (2, 50))
        expected = balanced_accuracy_score(truth, predicted)
        assert balanced_accuracy(confusion_matrix(truth, predicted)) == pytest.approx(expected)


def read(file):
    """Read what `write_predictions` wrote, as columns."""
    if file.suffix.lower() == ".parquet":
        return parquet.read_table(file)
    text = pyarrow.string()
    convert = csv.ConvertOptions(
        strings_can_be_null=True,
        column_types=dict.fromkeys(["path", "prediction", "status", "reason"], text),
    )
    return csv.read_csv(file, convert_options=convert)


def test_no_cell_of_predictions_is_a_formula(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", "good"]
    images, labels = draw(len(names), 2)
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image[..., 0]).save(name, "PNG")
    labels = np.where(labels == "a", "=cmd|' /C calc'!A0", "-2")
    model, _ = train(make_pipeline(pyramid(), GaussianNB()), names, labels)
    predictions, _ = write_predictions(model, names, "p.csv")
    with open("p.csv", newline="") as file:
        header, *rows = csv_module.reader(file)
    assert [row[0] for row in rows] == [*(f"'{name}" for name in names[:-1]), "good"]
    assert [row[1] for row in rows] == [f"'{name}" for name in predictions.tolist()]
    assert not [cell for cell in header if cell[0] in "=+-@"]
    # Programs read the names as they are.
    write_predictions(model, names, "p.parquet")
    table = parquet.read_table("p.parquet")
    assert table["path"].to_pylist() == names
    assert table["prediction"].to_pylist() == predictions.tolist()


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "P.CSV"])
@pytest.mark.parametrize(
    ("classifier", "kind"), [(GaussianNB(), "probability"), (LinearSVC(), "score")]
)
@pytest.mark.parametrize("classes", [2, 3])
def test_predictions(tmp_path, folder, name, classifier, kind, classes):
    paths, labels = folder
    labels = labels if classes == 3 else np.where(labels == "c", "b", labels)
    kept = [paths[i] for i in KEPT]
    model, _ = train(make_pipeline(pyramid(), classifier), kept, labels[KEPT])
    model[0].chunk_size = 2  # some chunks have no image that is not refused
    paths = [*paths[:7], *(paths[i] for i in (7, 11, 0, 7)), *paths[7:]]
    read_paths = [path for path in paths if path in kept]
    told = []
    predictions, refused = write_predictions(
        model, paths, tmp_path / "deep" / name, 2, lambda *count: told.append(count)
    )
    expected = model.predict(read_paths)
    assert predictions.tolist() == expected.tolist()
    broken = [path for path in paths if path not in kept]
    assert [one.path for one in refused] == broken
    assert np.sum(told, axis=0).tolist() == [len(paths), len(broken)]
    table = read(tmp_path / "deep" / name)
    names = ["a", "b", "c"][:classes]
    assert table.column_names == [
        "path",
        "prediction",
        *(f"{kind}_{one}" for one in names),
        "status",
        "reason",
    ]
    assert table["path"].to_pylist() == paths
    ok = [path in kept for path in paths]
    assert table["status"].to_pylist() == ["ok" if one else "refused" for one in ok]
    assert table["reason"].to_pylist() == [None if one else "not-an-image" for one in ok]
    assert [one is not None for one in table["prediction"].to_pylist()] == ok
    assert table["prediction"].drop_null().to_pylist() == expected.tolist()
    scores = (
        model.predict_proba(read_paths)
        if kind == "probability"
        else model.decision_function(read_paths)
    )
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    for index, one in enumerate(names):
        column = table[f"{kind}_{one}"]
        assert [value is not None for value in column.to_pylist()] == ok
        found = np.array(column.drop_null().to_pylist(), np.float64)
        # A matrix product depends in its last bits on how many images it takes at a time.
        np.testing.assert_allclose(found, scores[:, index], rtol=1e-12)


@pytest.mark.parametrize(
    "classifier", [NearestCentroid(metric="manhattan"), SVC(decision_function_shape="ovo")]
)
def test_predictions_of_classifiers_without_a_score_for_each_class(tmp_path, classifier):
    images, labels = draw(60)
    labels[::7] = "d"  # four classes have six pairs
    model, _ = train(make_pipeline(hog(), classifier), images, labels)
    kind, scores = class_scores(model[1:], model[0].transform(images))
    if kind == "score":
        expected = np.array(["a", "b", "c", "d"]) == model.predict(images)[:, np.newaxis]
        np.testing.assert_array_equal(scores, expected.astype(float))
    assert scores.shape == (60, 4)
    assert scores.argmax(axis=1).tolist() == [
        "abcd".index(name) for name in model.predict(images).tolist()
    ]


def test_predictions_that_cannot_be_written(tmp_path, folder):
    paths, labels = folder
    kept = [paths[i] for i in KEPT]
    model, _ = train(make_pipeline(pyramid(), GaussianNB()), kept, labels[KEPT])
    before = sorted(tmp_path.rglob("*"))
    for name in ("p.txt", "p", "p.csv.gz"):
        file = tmp_path / name
        assert message(write_predictions, model, kept, file, kind=OutputError) == (
            f"{file}: the name must end in .csv or .parquet."
        )
    assert message(write_predictions, model, [paths[0]], tmp_path / "new" / "p.csv") == (
        f"All 1 images are refused. The first: {paths[0]}: not-an-image: its content is of no "
        "known format. Known formats: JPEG, PNG, GIF, TIFF, BMP, WebP and PPM/PGM/PBM, complete "
        "and not damaged."
    )
    below = f"{paths[0]}/p.csv"
    assert message(write_predictions, model, kept, below, kind=OutputError) == (
        f"{below}: cannot be written: a folder above it is a file."
    )

    def interrupt(done, refused):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_predictions(model, kept, tmp_path / "p.csv", 1, interrupt)
    assert sorted(tmp_path.rglob("*")) == before


def test_predictions_replace_a_file(tmp_path, folder):
    paths, labels = folder
    kept = [paths[i] for i in KEPT]
    model, _ = train(make_pipeline(pyramid(), GaussianNB()), kept, labels[KEPT])
    (tmp_path / "p.csv").write_text("old")
    write_predictions(model, kept, tmp_path / "p.csv")
    assert read(tmp_path / "p.csv").num_rows == 9


def test_names_that_are_not_unicode(tmp_path, folder):
    paths, labels = folder
    name = os.fsencode(tmp_path) + b"/\xff.png"
    Path(os.fsdecode(name)).write_bytes(Path(paths[1]).read_bytes())
    kept = [paths[i] for i in KEPT]
    model, _ = train(make_pipeline(pyramid(), GaussianNB()), kept, labels[KEPT])
    for file in ("p.csv", "p.parquet"):
        write_predictions(model, [os.fsdecode(name), name], tmp_path / file)
        assert read(tmp_path / file)["path"].to_pylist() == [f"{tmp_path}/\\xff.png"] * 2
