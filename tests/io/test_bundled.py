from pathlib import Path

import pytest
import yaml

from featx.io import bundled

KINDS = ["pipelines", "datasets"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkout_has_them_beside_the_package(kind):
    folder = Path(__file__).parents[2] / kind
    assert bundled.folder(kind) == folder
    names = sorted(file.stem for file in folder.iterdir() if file.suffix == ".yaml")
    assert bundled.names(kind) == names
    titles = {name: yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in names}
    assert bundled.titles(kind) == {name: content["title"] for name, content in titles.items()}
    for name in names:
        assert bundled.find(kind, name) == folder / f"{name}.yaml"


def test_an_installed_package_has_them_inside(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "featx"
    folder = package / "_bundled" / "pipelines"
    folder.mkdir(parents=True)
    for name in ("b-two", "a-one"):
        (folder / f"{name}.yaml").write_text(f"title: Recipe {name}\nsteps: [HOG]\n")
    (folder / "notes.txt").write_text("no recipe")
    # Folders beside the package belong to other packages.
    (tmp_path / "site-packages" / "pipelines").mkdir()
    (tmp_path / "site-packages" / "pipelines" / "other.yaml").write_text("title: Other\n")
    monkeypatch.setattr(bundled, "__file__", str(package / "io" / "bundled.py"))
    assert bundled.folder("pipelines") == folder
    assert bundled.names("pipelines") == ["a-one", "b-two"]
    assert bundled.titles("pipelines") == {"a-one": "Recipe a-one", "b-two": "Recipe b-two"}
    assert bundled.find("pipelines", "a-one") == folder / "a-one.yaml"


@pytest.mark.parametrize(
    "name", ["", "HOG-SVM", "hog-svm.yaml", "../pipelines/hog-svm", "./hog-svm", "*", "scenes8"]
)
def test_only_names_are_found(name):
    assert "hog-svm" in bundled.names("pipelines")
    assert bundled.find("pipelines", name) is None
