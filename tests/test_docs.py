"""What the documents say is true: their examples run, their lists are complete."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import featx
from featx.cli.main import app
from featx.datasets.scenes.generation import write_scenes
from featx.io import bundled

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    write_scenes(tmp_path / "photos", 12, (128, 128), 0)
    monkeypatch.chdir(tmp_path)
    namespace = {}
    first, second, jobs = blocks("python")
    exec(first.replace("n=200", "n=20"), namespace)
    exec(second, namespace)
    exec(jobs, namespace)
    printed = capsys.readouterr().out
    assert "vertical-lines" in printed
    assert re.search(r"^\[([01]\.\d* *){3}\]$", printed, flags=re.MULTILINE)
    assert "fitted on 12 images (city 6, landscape 6) []\n" in printed


def test_first_command_of_the_readme_runs(tmp_path):
    write_scenes(tmp_path / "photos", 12, (128, 128), 0)
    (command,) = re.findall(r"^    featx (compare .*)$", README, flags=re.MULTILINE)
    arguments = [sys.executable, "-m", "featx", *command.split()]
    subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "report" / "report.html").is_file()


def test_python_of_the_tutorial_runs(capsys):
    (code,) = blocks("python", (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    exec(code.replace("n=100", "n=20"), {})
    assert float(capsys.readouterr().out) > 0.6


def test_python_of_the_how_to_page_runs(tmp_path, monkeypatch):
    write_scenes(tmp_path / "photos", 4, (64, 64), 0)
    monkeypatch.chdir(tmp_path)
    command = ["extract", "photos", "--recipe", "vertical-lines", "--out", "features"]
    subprocess.run([sys.executable, "-m", "featx", *command], check=True, capture_output=True)
    (store,) = blocks("python", (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8"))
    namespace = {}
    exec(store, namespace)
    assert len(namespace["found"]) == 4


@pytest.mark.parametrize("page", ["tutorial", "how-to", "own-stage"])
def test_commands_of_the_pages_exist(page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    assert set(re.findall(r"(?:^    |`)featx ([a-z]+)", text, flags=re.MULTILINE)) <= known


def test_reference_lists_every_public_name():
    text = (ROOT / "docs" / "reference.rst").read_text(encoding="utf-8")
    assert set(featx.__all__) <= set(re.findall(r"^   ([\w.]+)$", text, flags=re.MULTILINE))


def test_recipe_of_the_readme_is_the_one_that_comes_with_featx():
    (shown,) = blocks("yaml")
    assert (
        shown.strip() == (bundled.folder("pipelines") / "vertical-lines.yaml").read_text().strip()
    )


def test_readme_lists_every_command_and_no_other():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    groups = {group.name for group in app.registered_groups}
    assert set(re.findall(r"^\| `featx (\w+)", README, flags=re.MULTILINE)) == commands | groups


def test_accuracies_of_the_readme_are_measured():
    measured = json.loads((ROOT / "docs" / "accuracy.json").read_text())["city or landscape"]
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) % \| (\d+) \|$", README, flags=re.MULTILINE)
    assert len(rows) == 5
    for recipe, accuracy, dimensions in rows:
        assert accuracy == f"{100 * measured[recipe]['accuracy']:.1f}", recipe
        assert int(dimensions) == measured[recipe]["dimensions"]


def test_table_of_stages_is_up_to_date():
    spec = importlib.util.spec_from_file_location("stages", ROOT / "docs" / "stages.py")
    stages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stages)
    written = (ROOT / "docs" / "stages.md").read_text(encoding="utf-8")
    assert written == stages.table(), "Run: python docs/stages.py"


def test_architecture_names_every_package():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text[text.index("## The packages") : text.index("## What holds everywhere")]
    named = set(re.findall(r"^\| \d+ \| `(\w+)/` \|", table, flags=re.MULTILINE))
    package = Path(featx.__file__).parent
    assert named == {path.parent.name for path in package.glob("*/__init__.py")}


@pytest.mark.parametrize("name", bundled.names("pipelines"))
def test_changelog_names_every_recipe(name):
    assert name in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_changelog_names_the_version_and_every_public_name():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {featx.__version__}" in text
    assert [name for name in featx.__all__ if f"`{name}`" not in text] == []


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/explanation/scale.md"])
def test_tests_that_documents_name_are_there(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]*(?:\.py)?)(?:::(\w+))?`", text)
    assert len(named) > 5
    for file, test in named:
        assert (ROOT / file).exists(), file
        if test:
            source = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^ *def {test}\(", source, flags=re.MULTILINE), test
