import os
import subprocess
import sys
from importlib import import_module, invalidate_caches

import pytest

import featx
from featx import HOG, GramSVC, ImageStage, register_stage
from featx.core.errors import InputError, PluginError
from featx.pipeline import registry

STAGE = """
import numpy as np
from featx import ImageStage{imported}

{decorator}
class {name}(ImageStage):
    takes, gives = "pixels", "vectors"

    def _transform_one(self, image):
        return np.float32([{value}])
"""


def module_of_stages(name="Brightness", registered=True, value="image.mean()"):
    decorator = "@register_stage" if registered else ""
    imported = ", register_stage" if registered else ""
    return STAGE.format(name=name, decorator=decorator, imported=imported, value=value)


@pytest.fixture(autouse=True)
def restored(monkeypatch, tmp_path):
    """Restore what is registered, imported and searched."""
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Give a function that writes a module into the current folder, which is empty."""
    monkeypatch.chdir(tmp_path)

    def write(name, content):
        (tmp_path / f"{name}.py").write_text(content)
        invalidate_caches()
        return content

    return write


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Give a function that installs a module whose metadata declares stages."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def install(module, content, **stages):
        (folder / f"{module}.py").write_text(content)
        about = folder / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in stages.items()]
        (about / "entry_points.txt").write_text("\n".join(["[featx.stages]", *lines]))
        invalidate_caches()

    return install


def message(function, *arguments, kind=InputError):
    with pytest.raises(kind) as error:
        function(*arguments)
    return str(error.value)


def test_the_stages_of_featx_are_known_without_importing_them():
    found = [getattr(featx, name) for name in featx.__dir__()]
    stages = [one for one in found if isinstance(one, type) and issubclass(one, ImageStage)]
    assert registry.stage_names() == sorted({one.__name__ for one in stages} - {"ImageStage"})
    program = (
        "import sys; from featx.pipeline import registry; registry.known_names(); "
        "print([name for name in sys.modules if name.startswith(('featx.des', 'featx.net'))])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_find():
    assert registry.find("HOG") is HOG
    assert registry.find("GramSVC") is GramSVC
    assert registry.find("LinearSVC").__module__ == "sklearn.svm._classes"
    for name in registry.stage_names():
        assert registry.find(name).__name__ == name
    for name in ("Hogg", "featx.HOG", "os.system", "Stream", "ImageStage", "union", ""):
        said = message(registry.find, name, kind=LookupError)
        assert said.startswith(f"unknown stage {name!r}. ")
        assert said.endswith(" Import your own stages with --plugin MODULE.")
    assert message(registry.find, "Hogg", kind=LookupError) == (
        "unknown stage 'Hogg'. Did you mean HOG? Import your own stages with --plugin MODULE."
    )


def test_public_names():
    class Own(ImageStage):
        pass

    assert registry.public_name(HOG) == "featx.HOG"
    assert registry.public_name(GramSVC) == "featx.GramSVC"
    assert registry.public_name(registry.find("PCA")) == "sklearn.decomposition._pca.PCA"
    assert registry.public_name(Own) == f"{__name__}.test_public_names.<locals>.Own"


class TestRegister:
    def test_it_can_be_found(self):
        @register_stage
        class Own(ImageStage):
            pass

        assert Own.__name__ == "Own"
        assert registry.find("Own") is Own
        assert "Own" in registry.known_names()
        assert "Own" not in registry.stage_names()
        assert message(registry.find, "Owm", kind=LookupError) == (
            "unknown stage 'Owm'. Did you mean Own? Import your own stages with --plugin MODULE."
        )

    def test_a_reload_replaces_it(self, write, monkeypatch):
        monkeypatch.syspath_prepend("")
        write("some_stages", module_of_stages())
        first = import_module("some_stages")
        found = registry.find("Brightness")
        del sys.modules["some_stages"]
        import_module("some_stages")
        assert found is first.Brightness
        assert registry.find("Brightness") is not found

    @pytest.mark.parametrize(
        ("stage", "said"),
        [
            (3, "register_stage: stage must be a class, got 3."),
            (
                int,
                "register_stage: int: not a stage. Derive the class from featx.ImageStage.",
            ),
            *(
                (
                    type(name, (ImageStage,), {}),
                    f"register_stage: {name}: the name is already used by {taken}. Rename "
                    "the class.",
                )
                for name, taken in (
                    ("HOG", "a stage of featx"),
                    ("LinearSVC", "an estimator of recipes"),
                    ("union", "a keyword of recipes"),
                )
            ),
            (
                type("my.Stage", (ImageStage,), {}),
                "register_stage: my.Stage: not a valid class name. Use letters, digits and _.",
            ),
        ],
    )
    def test_what_is_no_stage_or_has_no_name_of_its_own(self, stage, said):
        assert message(register_stage, stage) == said
        assert registry.known_names() == [
            *registry.stage_names(),
            *sorted(registry.ESTIMATORS),
            "union",
            "score_sum",
        ]

    def test_a_name_that_another_class_has(self, write, monkeypatch):
        monkeypatch.syspath_prepend("")
        write("some_stages", module_of_stages())
        import_module("some_stages")
        write("others", module_of_stages())
        assert message(import_module, "others") == (
            "register_stage: Brightness: the name is already used by some_stages.Brightness. "
            "Rename the class."
        )


class TestPlugins:
    def test_a_module_in_the_current_folder(self, write):
        write("some_stages", module_of_stages())
        before = [*sys.path]
        assert registry.import_plugins([]) == []
        assert sys.path == before
        assert registry.import_plugins(["some_stages"]) == ["some_stages.Brightness"]
        assert registry.find("Brightness").__module__ == "some_stages"
        assert sys.path == [*before, os.getcwd()]
        write("others", module_of_stages("Darkness"))
        assert registry.import_plugins(["some_stages", "others"]) == [
            "others.Darkness",
            "some_stages.Brightness",
        ]
        assert sys.path == [*before, os.getcwd()]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "ModuleNotFoundError: No module named 'wrong'"),
            ("1 / 0", "ZeroDivisionError: division by zero"),
            (
                module_of_stages("HOG"),
                "InputError: register_stage: HOG: the name is already used by a stage of featx. "
                "Rename the class.",
            ),
        ],
    )
    def test_what_cannot_be_imported(self, write, content, said):
        if content is not None:
            write("wrong", content)
        assert message(registry.import_plugins, ["wrong"], kind=PluginError) == (
            f"--plugin wrong: cannot be imported ({said}). Name a module that is installed or in "
            "the current folder, such as mypackage.stages."
        )

    def test_stages_that_it_declares_as_a_package(self, install):
        install("declared", module_of_stages(registered=False), Brightness="declared:Brightness")
        assert registry.import_plugins(["declared"]) == ["declared.Brightness"]


class TestInstalledPackages:
    def test_it_is_imported_when_a_recipe_names_it(self, install):
        install("declared", module_of_stages(registered=False), Brightness="declared:Brightness")
        assert "Brightness" in registry.known_names()
        assert "declared" not in sys.modules
        found = registry.find("Brightness")
        assert registry.public_name(found) == "declared.Brightness"
        assert registry.find("Brightness") is found

    def test_a_registered_stage_under_the_same_name(self, install):
        install("declared", module_of_stages(), Brightness="declared:Brightness")
        assert registry.public_name(registry.find("Brightness")) == "declared.Brightness"

    def test_names_of_featx_are_featxs(self, install):
        install("declared", "1 / 0", HOG="declared:HOG", LinearSVC="declared:SVC")
        assert registry.find("HOG") is HOG
        assert registry.find("LinearSVC").__module__ == "sklearn.svm._classes"
        assert registry.known_names().count("HOG") == 1

    def test_what_cannot_be_used(self, install):
        install("broken", "1 / 0", Broken="broken:Broken", Missing="nowhere:Missing")
        assert message(registry.find, "Broken", kind=PluginError) == (
            "Broken: cannot be imported from broken:Broken (ZeroDivisionError: division by zero). "
            "Repair or uninstall the package."
        )
        assert message(registry.find, "Missing", kind=PluginError) == (
            "Missing: cannot be imported from nowhere:Missing (ModuleNotFoundError: No module "
            "named 'nowhere'). Repair or uninstall the package."
        )
        install("other", "Other = 1", Other="other:Other")
        assert message(registry.find, "Other") == (
            "register_stage: Other: not a stage. Derive the class from featx.ImageStage."
        )

    def test_two_packages_with_one_name(self, install):
        install("one", module_of_stages(registered=False), Brightness="one:Brightness")
        install("two", module_of_stages(registered=False), Brightness="two:Brightness")
        assert message(registry.find, "Brightness", kind=PluginError) == (
            "Brightness: several installed packages declare this stage: one:Brightness, "
            "two:Brightness. Uninstall all but one."
        )
