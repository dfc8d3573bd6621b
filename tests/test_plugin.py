"""The stage of docs/how-to/own-stage.md, with featx installed as a wheel."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import csv

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to" / "own-stage.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


STAGE, CHECK, LOAD = blocks("python")
(RECIPE,) = blocks("yaml")
(PROJECT,) = blocks("toml")


def run(*command, cwd, code=0):
    """Run a command outside of the checkout, and return its standard output, or its error."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["XDG_CACHE_HOME"] = str(cwd / "cache")
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def build(project, out):
    python = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out]
    run(*python, project, cwd=out.parent)
    (wheel,) = out.iterdir()
    return wheel


def install(python, wheel, cwd):
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=cwd)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Make an environment with featx's wheel, beside the libraries of this one."""
    place = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    python = place / "venv" / "bin" / "python"
    paths = "import sysconfig; print(sysconfig.get_path('purelib'))"
    libraries = Path(run(python, "-c", paths, cwd=place).strip())
    # A path alone: what is installed there as a checkout, such as featx, is not found.
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install(python, build(ROOT, place / "dist"), place)
    where = run(python, "-c", "import featx; print(featx.__file__)", cwd=place)
    assert Path(where).is_relative_to(libraries)
    return python


@pytest.fixture
def folder(tmp_path):
    """Make a folder with a recipe and with images, of which one class is symmetrical."""
    rng = np.random.default_rng(0)
    for index in range(16):
        image = rng.integers(0, 256, (32, 32), np.uint8)
        label = ("even", "odd")[index % 2]
        if label == "even":
            image[:, 16:] = image[:, 15::-1]
        (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "photos" / label / f"{index:02}.png")
    (tmp_path / "symmetry.yaml").write_text(RECIPE)
    return tmp_path


def use(featx, python, folder, plugin, plugin_for_models):
    """Train, predict, extract and compare with the stage, and load the model in Python."""
    recipe, model = ["--recipe", "symmetry.yaml", *plugin], ["--model", "model.skops"]
    said = run(featx, "recipes", "check", *recipe[1:], cwd=folder)
    assert said == "symmetry.yaml: Symmetry. The recipe is valid.\n"
    run(featx, "train", "photos", *recipe, "--out", "model.skops", cwd=folder)
    model += plugin_for_models
    run(featx, "predict", "photos", *model, "--out", "predictions.csv", cwd=folder)
    table = csv.read_csv(folder / "predictions.csv")
    truth = [Path(path).parent.name for path in table["path"].to_pylist()]
    assert table["prediction"].to_pylist() == truth
    said = run(featx, "evaluate", "photos", *model, "--json", cwd=folder)
    assert json.loads(said)["accuracy"] == 1
    run(featx, "extract", "photos", *recipe, "--out", "features", cwd=folder)
    names = "import featx; print(featx.read_features('features').names)"
    assert run(python, "-c", names, cwd=folder) == "['gray_asymmetry']\n"
    run(featx, "compare", "photos", *recipe, "--folds", "2", "--out", "report", cwd=folder)
    assert "Symmetry" in (folder / "report" / "report.html").read_text(encoding="utf-8")
    run(featx, "explain", "photos/odd/01.png", *model, "--out", "explained.png", cwd=folder)
    asked = f"{LOAD}print(model.predict(['photos/odd/01.png', 'photos/even/00.png']))"
    assert run(python, "-c", asked, cwd=folder) == "['odd' 'even']\n"


def not_trusted(file):
    return (
        f"{file}: not loaded: it contains symmetry.Symmetry, which is not part of featx. If you "
        "trust this code, use load_model(file, trusted=['symmetry.Symmetry']), or --plugin "
        "symmetry on the command line.\n"
    )


def test_a_module_in_the_current_folder(fresh, folder):
    featx = fresh.with_name("featx")
    (folder / "symmetry.py").write_text(STAGE)
    run(fresh, "-c", CHECK, cwd=folder)
    plugin = ["--plugin", "symmetry"]
    use(featx, fresh, folder, plugin, plugin)
    # Without the plugin, and without the module.
    train = ["train", "photos", "--recipe", "symmetry.yaml", "--out", "other.skops"]
    predict = ["predict", "photos", "--model", "model.skops", "--out", "other.csv"]
    said = run(featx, *train, cwd=folder, code=2)
    assert said.startswith("featx: symmetry.yaml:5: unknown stage 'Symmetry'. ")
    assert said.endswith(" Import your own stages with --plugin MODULE.\n")
    said = run(featx, *predict, cwd=folder, code=1)
    assert said == "featx: " + not_trusted("model.skops")
    (folder / "symmetry.py").unlink()
    for command in (train, predict):
        assert run(featx, *command, *plugin, cwd=folder, code=2) == (
            "featx: --plugin symmetry: cannot be imported (ModuleNotFoundError: No module named "
            "'symmetry'). Name a module that is installed or in the current folder, such as "
            "mypackage.stages.\n"
        )
    # Another stage of this name is no longer the one of the features.
    (folder / "symmetry.py").write_text(STAGE.replace("np.abs(", "2 * np.abs("))
    extract = ["extract", "photos", "--recipe", "symmetry.yaml", "--out", "features", *plugin]
    assert run(featx, *extract, cwd=folder, code=1) == (
        "featx: features: contains features of another recipe, symmetry: step 2: the code of "
        "symmetry.Symmetry has changed. Choose another folder.\n"
    )


def test_an_installed_package(fresh, folder):
    assert len((STAGE + PROJECT).splitlines()) <= 30
    featx, project = fresh.with_name("featx"), folder / "project"
    project.mkdir()
    (project / "symmetry.py").write_text(STAGE)
    (project / "pyproject.toml").write_text(PROJECT)
    install(fresh, build(project, folder / "dist"), folder)
    try:
        run(fresh, "-c", CHECK, cwd=folder)
        use(featx, fresh, folder, [], ["--plugin", "symmetry"])
        load = "import featx; featx.load_model('model.skops')"
        said = run(fresh, "-c", load, cwd=folder, code=1)
        assert said.endswith("featx.core.errors.ModelError: " + not_trusted("model.skops"))
        predict = ["predict", "photos", "--model", "model.skops", "--out", "other.csv"]
        said = run(featx, *predict, cwd=folder, code=1)
        assert said == "featx: " + not_trusted("model.skops")
    finally:
        pip = [sys.executable, "-m", "pip", "--python", fresh, "--disable-pip-version-check"]
        run(*pip, "uninstall", "--quiet", "--yes", "symmetry", cwd=folder)
