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
import pytest
import skops.io
from noise_classes import draw, hog, pyramid
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

import featx
from featx import (
    ReadImages,
    Rectify,
    ScoreSum,
    SpatialPyramid,
    Stream,
    load_recipe,
)
from featx.core.errors import ModelError
from featx.io import bundled
from featx.jobs.model_files import load_model, save_model
from featx.jobs.train import train as train_job
from featx.pipeline.fitting import class_scores
from featx.pipeline.recipes import read_recipe
from featx.pipeline.registry import ESTIMATORS


def message(function, *arguments, kind=ModelError):
    with pytest.raises(kind) as error:
        function(*arguments)
    return str(error.value)


def train(pipeline, images, labels, n_jobs=1):
    training = train_job(images, y=labels, recipe=pipeline, n_jobs=n_jobs)
    return training.model, training.refused


def check_saved(model, images, file):
    """Check that a saved and loaded model predicts the same, bit for bit."""
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
def test_estimators_are_saved(tmp_path, name, parameters, classes):
    images, labels = draw(120, classes)
    estimator = getattr(import_module(ESTIMATORS[name]), name)(**parameters)
    steps = [estimator] if hasattr(estimator, "predict") else [estimator, LogisticRegression()]
    model, _ = train(make_pipeline(hog(), *steps), images, labels)
    check_saved(model, images, tmp_path / "model.skops")


@pytest.mark.parametrize("name", SHIPPED)
def test_recipes_are_saved(tmp_path, name):
    images, labels = draw(8, 2, 64)
    images = images.repeat(3, axis=3)
    recipe = load_recipe(name)
    # One iteration suffices: the mixtures themselves are not tested here.
    rounds = [key for key in recipe.get_params() if key.endswith("vector__max_iter")]
    model, _ = train(recipe.set_params(**dict.fromkeys(rounds, 1)), images, labels)
    check_saved(model, images, tmp_path / "model.skops")


def test_a_trainable_stage_is_saved(tmp_path):
    images, labels = draw()
    pipeline = make_pipeline(Stream([*hog().stages, PCA(3, svd_solver="full")]), GaussianNB())
    model, _ = train(pipeline, images, labels)
    check_saved(model, images, tmp_path / "model.skops")


def test_a_sum_of_scores_is_saved(tmp_path):
    images, labels = draw()
    branches = [
        (name, make_pipeline(one, LinearSVC())) for name, one in (("a", hog()), ("b", pyramid()))
    ]
    reading = Stream([ReadImages(size=(16, 16))])
    model, refused = train(make_pipeline(reading, ScoreSum(branches)), images, labels, n_jobs=2)
    assert refused == []
    check_saved(model, images, tmp_path / "model.skops")


def test_models_that_cannot_be_saved(tmp_path):
    images, labels = draw()
    scored = HistGradientBoostingClassifier(max_iter=2, early_stopping=True, scoring="accuracy")
    model, _ = train(make_pipeline(hog(), scored), images, labels)
    assert message(save_model, model, tmp_path / "m.skops") == (
        "model: cannot be saved (RecursionError). Use other parameters in its last steps; define "
        "your own stages at the top level of a module."
    )
    own = KNeighborsClassifier(metric=np.dot)
    model, _ = train(make_pipeline(hog(), own), images, labels)
    assert message(save_model, model, tmp_path / "m.skops") == (
        "model: cannot be saved (numpy.dot). Use other parameters in its last steps; define your "
        "own stages at the top level of a module."
    )
    assert [*tmp_path.iterdir()] == []


class Owned:
    """Write a file when an instance is made."""

    path = ""

    def __init__(self):
        Path(self.path).touch()

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)

    def __setstate__(self, state):
        Path(self.path).touch()


def dump(content, file, **about):
    """Write an object to a file as if featx had written it."""
    data = skops.io.dumps(content)
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w") as target:
        target.writestr("featx.json", json.dumps({"format": 1, "featx_version": "0.0.9"} | about))
        for name in source.namelist():
            text = source.read(name)
            for module in (b"featx.descriptors.hog", b"featx.pipeline.stream"):
                text = text.replace(b'"%s"' % module, b'"featx"')
            target.writestr(name, text)


def edit(file, *replacements, about=None):
    """Replace texts in the type tree of a model, and its version information."""
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
    f"It was written by featx 0.0.9; this is featx {featx.__version__}. Load it with the version "
    "that wrote it, or train it again."
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
            f"{file}: not loaded: it contains {name}, which models may not. Load only models "
            "written by featx train."
        )

    def test_classes_are_refused_and_nothing_runs(self, tmp_path, monkeypatch):
        file, sign = tmp_path / "m.skops", tmp_path / "sign"
        monkeypatch.setattr(Owned, "path", str(sign))
        owned = object.__new__(Owned)
        owned.x = 1
        dump(Pipeline([("stream", hog()), ("evil", owned)]), file)
        name = f"{Owned.__module__}.Owned"
        assert message(load_model, file) == (
            f"{file}: not loaded: it contains {name}, which is not part of featx. If you trust "
            f"this code, use load_model(file, trusted=['{name}']), or --plugin {Owned.__module__} "
            "on the command line."
        )
        assert not sign.exists()
        # Only stages and estimators can be trusted.
        assert message(load_model, file, [Owned]) == (
            f"{file}: not loaded: it contains {name}, which is neither a stage nor an "
            f"estimator. {VERSIONS}"
        )
        assert not sign.exists()

    def test_other_parts_of_featx_are_refused(self, tmp_path):
        file = tmp_path / "m.skops"
        dump(Pipeline([("stream", hog()), ("f", FunctionTransformer(save_model))]), file)
        assert message(load_model, file) == (
            f"{file}: not loaded: it contains featx.jobs.model_files.save_model, which models may "
            "not. Load only models written by featx train."
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
            f"{file}: is not a model (it contains {found}). Name a file written by featx train."
        )

    def test_other_files(self, tmp_path):
        file = tmp_path / "m.skops"
        assert (
            message(load_model, file) == f"{file}: no such file. Name one written by featx train."
        )
        assert message(load_model, tmp_path) == (
            f"{tmp_path}: no such file. Name one written by featx train."
        )
        for content in (b"", b"text"):
            file.write_bytes(content)
            assert message(load_model, file) == (
                f"{file}: is not a model (File is not a zip file). Name a file written by featx "
                "train."
            )
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("other.txt", "text")
        assert message(load_model, file) == (
            f"{file}: is not a model (\"There is no item named 'featx.json' in the archive\"). "
            "Name a file written by featx train."
        )

    def test_parts_of_a_file(self, tmp_path):
        whole, part = tmp_path / "whole.skops", tmp_path / "part.skops"
        images, labels = draw(6, 2)
        save_model(train(make_pipeline(hog(), GaussianNB()), images, labels)[0], whole)
        part.write_bytes(whole.read_bytes()[:-100])
        assert message(load_model, part).startswith(f"{part}: is not a model (")
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(part, "w") as target:
            for name in ("featx.json", "schema.json"):
                target.writestr(name, source.read(name))
        assert message(load_model, part).startswith(f"{part}: is not a model (")


class TestVersions:
    @pytest.fixture
    def file(self, tmp_path):
        images, labels = draw(6, 2)
        model, _ = train(make_pipeline(hog(), GaussianNB()), images, labels)
        save_model(model, tmp_path / "m.skops")
        return tmp_path / "m.skops"

    def test_version_information(self, file):
        with zipfile.ZipFile(file) as archive:
            assert archive.namelist()[0] == "featx.json"
            assert json.loads(archive.read("featx.json")) == {
                "format": 1,
                "featx_version": featx.__version__,
            }
            schema = archive.read("schema.json").decode()
        # Only the package itself is named, since modules may move.
        assert set(re.findall(r"featx[\w.]*", schema)) == {"featx"}
        known = ["featx.HOG", "featx.Stream"]
        assert skops.io.get_untrusted_types(file=file) == known
        images, _ = draw(6, 2)
        found = skops.io.load(file, trusted=known).predict(images)
        assert found.tolist() == load_model(file).predict(images).tolist()

    def test_a_newer_format(self, file):
        edit(file, about='{"format": 2, "featx_version": "9.1"}')
        assert message(load_model, file) == (
            f"{file}: written by featx 9.1 in format 2, but this version, featx "
            f"{featx.__version__}, reads only format 1. Upgrade featx: pip install --upgrade featx."
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
    def test_a_file_without_version_information(self, file, about, said):
        edit(file, about=about)
        assert message(load_model, file) == (
            f"{file}: is not a model ({said}). Name a file written by featx train."
        )

    @pytest.mark.parametrize(
        ("replacements", "said"),
        [
            ([('"HOG"', '"HOGG"')], "it contains featx.HOGG, which this version lacks"),
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
    def test_a_missing_stage_or_parameter(self, file, replacements, said):
        edit(file, *replacements, about='{"format": 1, "featx_version": "0.0.9"}')
        assert message(load_model, file) == f"{file}: not loaded: {said}. {VERSIONS}"

    def test_modules_that_move(self, tmp_path):
        """Load a model after a stage's module was renamed."""
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
        """A model that the first version wrote, by tests/data/write.py."""
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
        """Return a function that writes a module with a stage and trains a model with it."""
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
                f"{file}: not loaded: it contains own_stages.Brightness, which is not part of "
                "featx. If you trust this code, use load_model(file, "
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
            f"{file}: not loaded: it needs Brightness of own_stages, which cannot be imported "
            "(ModuleNotFoundError: No module named 'own_stages'). Install it, or add its folder to "
            "sys.path."
        )
        (tmp_path / "own_stages.py").write_text("Brightness = 3")
        invalidate_caches()
        here = featx.__version__
        assert message(load_model, file, ["own_stages.Brightness"]) == (
            f"{file}: not loaded: it contains own_stages.Brightness, which is neither a stage "
            f"nor an estimator. It was written by featx {here}; this is featx {here}. Load it with "
            "the version that wrote it, or train it again."
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

    def test_learned_attributes_end_with_an_underscore(self, make, tmp_path):
        model, _ = make(learned="mean")
        assert message(save_model, model, tmp_path / "m.skops") == (
            "model: cannot be saved: own_stages.Brightness has no parameter 'mean'. Store each "
            "parameter of __init__ under its own name, and end the names of learned attributes "
            "with _."
        )
        assert not (tmp_path / "m.skops").exists()

    def test_it_must_be_at_the_top_of_a_module(self, tmp_path):
        class Local(SpatialPyramid):
            pass

        images, labels = draw(6, 2)
        pipeline = make_pipeline(Stream([Local([2])]), GaussianNB())
        model, _ = train(pipeline, images, labels)
        assert message(save_model, model, tmp_path / "m.skops") == (
            f"model: cannot be saved ({__name__}.Local). Use other parameters in its last steps; "
            "define your own stages at the top level of a module."
        )
