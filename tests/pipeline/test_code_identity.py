import sys
from importlib import import_module, invalidate_caches, reload

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from featx import HOG, ImageStage, Stream, load_recipe
from featx.io import bundled
from featx.pipeline.code_identity import code_digest, is_own, own_code, own_modules

STAGE = """
from featx import ImageStage
{imported}

class Scale(ImageStage):
    def _transform_one(self, image):
        return image
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes files below a folder from which modules are imported."""
    # A file that is edited within a second has the time of the compiled one.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(files, folder="code"):
        for name, content in files.items():
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_text(content)
        monkeypatch.syspath_prepend(tmp_path / folder)

    yield write
    _forget(tmp_path)


def _forget(folder):
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
    invalidate_caches()


@pytest.fixture
def digest(tmp_path):
    """Give a function that computes the digest of Scale in a module that is imported anew."""

    def digest(module):
        _forget(tmp_path)
        return code_digest(import_module(module).Scale)

    return digest


def test_what_is_own():
    class Mine(ImageStage):
        pass

    class MyHOG(HOG):
        pass

    assert is_own(Mine)
    assert is_own(MyHOG)
    for kind in (HOG, ImageStage, LinearSVC, np.ndarray, dict, int, type(np.dot)):
        assert not is_own(kind)
    for name in bundled.names("pipelines"):
        assert own_code(load_recipe(name)) == []


def test_a_module(write, digest):
    write({"own.py": STAGE.format(imported="")})
    first = digest("own")
    assert digest("own") == first
    write({"own.py": STAGE.format(imported="A = 1")})
    changed = digest("own")
    assert changed != first
    write({"own.py": STAGE.format(imported="")})
    assert digest("own") == first


@pytest.mark.parametrize(
    "imported",
    [
        "import helpers",
        "from helpers import f",
        "import between",
        "import folder.helpers",
        "from folder import helpers",
        "from folder.deep import helpers",
        "def g():\n    from helpers import f",
    ],
)
def test_a_module_and_what_it_imports_beside_it(write, digest, imported):
    helpers = {
        f"{folder}helpers.py": "def f():\n    return {}"
        for folder in ("", "folder/", "folder/deep/")
    }
    others = {
        "folder/__init__.py": "",
        "folder/deep/__init__.py": "",
        "between.py": "import helpers",
    }
    write({"own.py": STAGE.format(imported=imported), **helpers, **others})
    first = digest("own")
    assert digest("own") == first
    write(dict.fromkeys(helpers, "def f():\n    return 1"))
    assert digest("own") != first
    write({"unrelated.py": ""})
    write(helpers)
    assert digest("own") == first


@pytest.mark.parametrize(
    "imported",
    [
        "from . import helpers",
        "from .helpers import f",
        "from ..own import helpers",
        "import own.helpers",
    ],
)
@pytest.mark.parametrize("folder", ["code", "site-packages"])
def test_a_package(write, digest, imported, folder):
    files = {"own/__init__.py": "", "own/helpers.py": "def f(): pass", "own/unused.py": ""}
    write({**files, "own/stages.py": STAGE.format(imported=imported)}, folder)
    if imported.startswith("from .."):
        write({"own/stages.py": STAGE.format(imported="from .helpers import f")}, folder)
    first = digest("own.stages")
    write({"own/unused.py": "A = 1"}, folder)
    assert digest("own.stages") == first
    write({"own/helpers.py": "def f(): return 1"}, folder)
    second = digest("own.stages")
    write({"own/__init__.py": "A = 1"}, folder)
    assert len({first, second, digest("own.stages")}) == 3


def test_other_packages_that_are_installed_are_not_read(write, digest):
    files = {"other/__init__.py": "def f(): pass", "own.py": STAGE.format(imported="import other")}
    write(files, "site-packages")
    first = digest("own")
    write({"other/__init__.py": "def f(): return 1"}, "site-packages")
    assert digest("own") == first


def test_a_base_class_of_another_module(write, digest):
    write(
        {
            "base.py": STAGE.format(imported=""),
            "own.py": "import base\nclass Scale(base.Scale): pass",
        }
    )
    first = digest("own")
    write({"base.py": STAGE.format(imported="A = 1")})
    assert digest("own") != first


def test_a_file_that_is_edited_after_its_import(write, digest):
    old, new = (
        STAGE.format(imported="").replace("return image", f"return {n} * image") for n in "12"
    )
    write({"own.py": old})
    first = digest("own")
    _, module = code_digest.cache_clear(), sys.modules["own"]
    write({"own.py": new})
    edited = code_digest(module.Scale)
    reloaded = code_digest(reload(module).Scale)
    assert len({first, edited, reloaded}) == 3
    assert digest("own") == reloaded


def test_a_helper_that_is_edited_after_its_import(write, digest):
    write(
        {"own.py": STAGE.format(imported="import helpers"), "helpers.py": "def f():\n    return 1"}
    )
    first = digest("own")
    code_digest.cache_clear()
    write({"helpers.py": "def f():\n    return 2"})
    edited = code_digest(sys.modules["own"].Scale)
    assert len({first, edited, digest("own")}) == 3


def test_a_module_that_cannot_be_parsed_is_read_all_the_same(write, digest):
    imported = "try:\n    import helpers\nexcept SyntaxError:\n    pass"
    write({"own.py": STAGE.format(imported=imported), "helpers.py": "1 +"})
    first = digest("own")
    write({"helpers.py": "2 +"})
    assert digest("own") != first


def test_a_class_without_a_file():
    def made(body):
        names = {"ImageStage": ImageStage, "__name__": "typed_in"}
        exec(f"class Scale(ImageStage):\n    size = 3\n    {body}", names)
        return code_digest(names["Scale"])

    bodies = [
        "def _transform_one(self, image): return image",
        "def _transform_one(self, image): return 2 * image",
        "def _transform_one(self, image): return 3 * image",
        "def _transform_one(self, image, out=None): return image",
        "def _transform_one(self, image, out=1): return image",
        "def _transform_one(self, image): return [x * 2 for x in image]",
        "def _transform_one(self, image): return [x * 3 for x in image]",
        "def _transform_one(self, image): return image in {'a', 'b'}",
        "f = staticmethod(lambda x: x)",
        "f = property(lambda x: x + 1)",
        "takes = 'pixels'",
    ]
    digests = [made(body) for body in bodies]
    assert len(set(digests)) == len(bodies)
    assert [made(body) for body in bodies] == digests


def test_the_code_of_a_value(write):
    write({"own.py": STAGE.format(imported="")})
    stage = import_module("own").Scale()
    known = ("own.Scale", code_digest(type(stage)))
    pipeline = make_pipeline(Stream([HOG(), stage]), LinearSVC())
    for value in (stage, [stage, stage], {"a": pipeline}, (np.zeros(3), pipeline)):
        assert own_code(value) == [known]
    assert own_code([HOG(), "a", 1, type(stage), lambda x: x]) == []
    assert joblib.hash(pipeline) == joblib.hash(pipeline)


def test_the_modules_of_a_value(write):
    write(
        {
            "own.py": STAGE.format(imported=""),
            "pack/__init__.py": "",
            "pack/stages.py": STAGE.format(imported=""),
        }
    )
    write({"installed.py": STAGE.format(imported="")}, "site-packages")
    stages = [import_module(name).Scale() for name in ("own", "pack.stages", "installed")]
    assert own_modules([HOG(), stages]) == [sys.modules["own"], sys.modules["pack"]]
    assert own_modules([HOG(), stages[2]]) == []
