"""Documentation: its code blocks run, its links resolve, its lists are complete."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from page_blocks import read_blocks
from PIL import Image
from typer.testing import CliRunner

import featx
from featx.cli.main import app
from featx.datasets.scenes.generation import write_scenes
from featx.io import bundled
from featx.io.files import REASONS
from featx.pipeline.registry import stage_names

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Folders that Sphinx fills.
BUILT = {"gallery", "generated"}
PAGES = [ROOT / "README.md"] + [
    page for page in sorted(DOCS.rglob("*.md")) if BUILT.isdisjoint(page.relative_to(DOCS).parts)
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
#: Why a block may be excluded from the test.
EXCUSES = {
    "installs",
    "needs a cluster",
    "needs a network",
    "needs photographs",
    "takes minutes",
}
#: Languages of blocks; bash and python blocks run.
LANGUAGES = {"bash", "python", "text", "toml", "yaml"}
#: Text and patterns that the output of a page must contain.
OUTPUTS = {
    "README.md": [
        "vertical-lines",
        re.compile(r"^\[([01]\.\d* *){3}\]$", flags=re.MULTILINE),
        "fitted on 12 images (city 6, landscape 6) []\n",
    ],
    "docs/how-to/rejected-files.md": [re.compile(r"photos/city/damaged\.png +refused +truncated")],
    "docs/how-to/resume.md": [re.compile(r" 12 .*\n.* 11 .* 1 ")],
    "docs/how-to/use-features-elsewhere.md": ["(12, 1) ['gray_sobel_vertical_line31_090_mean"],
    "docs/tutorials/ten-minutes.md": [re.compile(r"^(0\.[6-9]\d*|1\.0)$", flags=re.MULTILINE)],
}
#: Files that a page must write.
RESULTS = {
    "README.md": ["report/report.html"],
    "docs/how-to/find-a-pattern.md": ["hits.csv", "hits"],
    "docs/tutorials/own-folder.md": ["report-2/report.html", "explained.html"],
}
#: A relative link of Markdown: text, path and anchor.
LINK = re.compile(r"\[[^\]]*\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)")


def write_sounds(folder):
    """Write two recordings of a high and two of a low tone."""
    for label, frequency in (("high", 1047), ("low", 262)):
        (folder / label).mkdir(parents=True)
        for index in range(2):
            times = np.arange(22050 // 2) / 22050
            tone = 12000 * np.sin(2 * np.pi * frequency * 2 ** (index / 12) * times)
            with wave.open(str(folder / label / f"{index}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(22050)
                file.writeframes(tone.astype("<i2").tobytes())


@pytest.fixture
def folder(tmp_path):
    """Make a folder with the inputs that pages assume."""
    write_scenes(tmp_path / "photos", 12, (128, 128), 0)
    write_scenes(tmp_path / "more", 6, (128, 128), 1)
    write_sounds(tmp_path / "sounds")
    scene = Image.open(sorted((tmp_path / "photos" / "city").iterdir())[0])
    scene.crop((30, 30, 70, 70)).save(tmp_path / "logo.png")
    return tmp_path


@pytest.fixture
def environment(tmp_path_factory):
    """Return environment variables with featx on the path and caches in a folder of the test."""
    place = tmp_path_factory.mktemp("environment")
    command = place / "featx"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m featx "$@"\n')
    python = place / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    command.chmod(0o755)
    python.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{place}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(featx.__file__).parents[1]),
        "XDG_CACHE_HOME": str(place / "cache"),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="the pages use a POSIX shell")
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, page in zip(NAMES, PAGES, strict=True)
        if any(block.language in ("bash", "python") for block in read_blocks(page))
    ],
)
def test_blocks_of_a_page_run(name, folder, environment):
    script = Path(__file__).with_name("page_blocks.py")
    done = subprocess.run(
        [sys.executable, script, ROOT / name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in OUTPUTS.get(name, []):
        pattern = re.escape(expected) if isinstance(expected, str) else expected
        assert re.search(pattern, done.stdout), done.stdout
    for file in RESULTS.get(name, []):
        assert (folder / file).exists()


@pytest.mark.parametrize("name", NAMES)
def test_blocks_have_known_languages_and_excuses(name):
    for block in read_blocks(ROOT / name):
        assert block.language in LANGUAGES or block.language.startswith("{"), block
        assert block.marker in {None, "file", "not run"}, block
        assert block.marker != "not run" or block.value in EXCUSES, block


def test_every_excuse_is_used():
    blocks = [block for page in PAGES for block in read_blocks(page)]
    assert {block.value for block in blocks if block.marker == "not run"} == EXCUSES


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in headings}


@pytest.mark.parametrize("name", [*NAMES, "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_relative_links_resolve(name):
    page = ROOT / name
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    for path, anchor in LINK.findall(re.sub(r"`[^`]*`|\$[^$]*\$", "", text)):
        target = page.parent / path if path else page
        assert target.exists(), f"{name}: {path}"
        if anchor:
            assert anchor in anchors(target), f"{name}: {path}#{anchor}"


def test_commands_of_the_pages_exist():
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    for page in PAGES:
        shell = [block.code for block in read_blocks(page) if block.language == "bash"]
        quoted = re.findall(r"`(featx [^`]*)`", page.read_text(encoding="utf-8"))
        text = "\n".join([*shell, *quoted])
        assert set(re.findall(r"^featx ([a-z]+)", text, flags=re.MULTILINE)) <= known, page


def groups_of_the_package():
    """Return the public names in the groups of featx/__init__.pyi."""
    text = (ROOT / "featx" / "__init__.pyi").read_text(encoding="utf-8")
    return [re.findall(r" as (\w+)$", part, re.M) for part in re.split(r"^# .*$", text, flags=re.M)]


def test_reference_has_the_groups_of_the_package():
    text = (DOCS / "reference" / "api.rst").read_text(encoding="utf-8")
    api = text[: text.index("Further modules")]
    groups = [
        re.findall(r"^   (\w+)$", part, re.M) for part in re.split(r"^-{3,}$", api, flags=re.M)
    ]
    assert [sorted(group) for group in groups if group] == [
        sorted(group) for group in groups_of_the_package() if group
    ]


def test_concepts_list_every_reason():
    text = (DOCS / "concepts.md").read_text(encoding="utf-8")
    section = text[text.index("## Rejected files") : text.index("## Duplicate groups")]
    assert re.findall(r"^\| `([\w-]+)` \|", section, flags=re.MULTILINE) == list(REASONS)


def load_tables():
    """Return the module that generates the tables of the reference."""
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    return tables


def test_generated_tables_are_complete():
    tables = load_tables()
    rows = re.findall(r"^\| \[`(\w+)`\]", tables.stages(), flags=re.MULTILINE)
    assert sorted(rows) == sorted(stage_names())
    recipes = re.findall(r"^## (.*)$", tables.recipes(), flags=re.MULTILINE)
    assert recipes == list(bundled.names("pipelines"))
    cards = re.findall(r"^## (.*)$", tables.datasets(), flags=re.MULTILINE)
    assert cards == list(bundled.names("datasets"))


def test_command_reference_shows_every_option_of_the_help():
    sections = re.split(r"^(?=##+ featx )", load_tables().commands(), flags=re.MULTILINE)[1:]
    for section in sections:
        command = section.splitlines()[0].lstrip("#").split()[1:]
        shown = set(re.findall(r"--[a-z][\w-]*", section.partition("\n| ")[2]))
        helped = help_of(command)
        for option in shown:
            assert option in helped, (command, option)
        assert section.count("\n| `") + 1 >= len(set(re.findall(r"^  (--[\w-]+)", helped, re.M)))


def help_of(command):
    """Return the help text of a command."""
    return CliRunner().invoke(app, [*command, "--help"], terminal_width=200).output


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md")], ids=lambda page: page.name)
def test_placeholders_of_pages_are_known(page):
    known = set(load_tables().GENERATED)
    assert set(re.findall(r"<!-- generated: (.*?) -->", page.read_text(encoding="utf-8"))) <= known


def test_accuracies_of_the_readme_are_those_of_the_benchmark():
    measured = json.loads((DOCS / "accuracy.json").read_text(encoding="utf-8"))
    tasks = ("eight scenes", "city or landscape", "fifteen scenes")
    rows = re.findall(r"^\| `([\w-]+)` \| (\d.*) \| ([\d,]+) \|$", README, flags=re.MULTILINE)
    assert len(rows) == 6
    for recipe, cells, dimensions in rows:
        found = [measured[task][recipe] for task in tasks]
        assert cells.split(" | ") == [f"{100 * one['accuracy']:.1f}" for one in found]
        assert dimensions == f"{found[0]['dimensions']:,}"


def test_recipe_of_the_readme_is_the_one_that_comes_with_featx():
    (shown,) = [block.code for block in read_blocks(PAGES[0]) if block.language == "yaml"]
    assert (
        shown.strip() == (bundled.folder("pipelines") / "vertical-lines.yaml").read_text().strip()
    )


def test_readme_lists_every_command_and_no_other():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    groups = {group.name for group in app.registered_groups}
    assert set(re.findall(r"^\| `featx (\w+)", README, flags=re.MULTILINE)) == commands | groups


def test_accuracies_of_the_readme_are_measured():
    measured = json.loads((ROOT / "docs" / "accuracy.json").read_text())
    rows = re.findall(
        r"^\| `([\w-]+)` \| ([\d.]+ \| [\d.]+ \| [\d.]+) \| ([\d,]+) \|$", README, re.M
    )
    assert len(rows) == 6
    tasks = ["eight scenes", "city or landscape", "fifteen scenes"]
    assert f"| recipe | {' | '.join(tasks)} | features |" in README
    for recipe, accuracies, features in rows:
        figures = [measured[task][recipe] for task in tasks]
        assert accuracies == " | ".join(f"{100 * one['accuracy']:.1f}" for one in figures)
        assert f"{figures[0]['dimensions']:,}" == features


def test_architecture_names_every_package():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text[text.index("## Packages") : text.index("## Invariants")]
    named = set(re.findall(r"^\| \d+ \| `(\w+)/` \|", table, flags=re.MULTILINE))
    package = Path(featx.__file__).parent
    assert named == {path.parent.name for path in package.glob("*/__init__.py")}


@pytest.mark.parametrize("name", bundled.names("pipelines"))
def test_changelog_names_every_recipe(name):
    assert name in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_changelog_names_the_version_and_every_public_name():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    # A section in the form of Keep a Changelog, or the announcement of the release to come.
    dated = re.search(rf"^## \[{re.escape(featx.__version__)}\] - 20\d\d-\d\d-\d\d$", text, re.M)
    assert dated or f"release will be {featx.__version__}." in text
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
