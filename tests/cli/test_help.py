"""Help of each command: purpose, groups of options, defaults and an example."""

import re

import pytest
import typer
from PIL import Image

from featx.cli.main import app

PANELS = ["Input", "Output", "Run", "Display"]
CHEAP = ["recipes list", "recipes show", "recipes check", "datasets list", "datasets show"]
CHEAP += ["datasets make", "extract", "predict"]


def leaves(command, path=()):
    """Yield each command that runs, with its path."""
    for name, one in command.commands.items():
        if hasattr(one, "commands"):
            yield from leaves(one, (*path, name))
        else:
            yield " ".join((*path, name)), one


COMMANDS = dict(leaves(typer.main.get_command(app)))


@pytest.fixture
def example_files(featx, photos, recipe, model, monkeypatch, tmp_path):
    """Write the files that the examples name into the current folder."""
    here = tmp_path / "examples"
    here.mkdir()
    monkeypatch.chdir(here)
    photos.rename(here / "photos")
    recipe.rename(here / "my-recipe.yaml")
    model.rename(here / "model.skops")
    Image.open(here / "photos" / "city" / "00.png").save(here / "photos" / "city" / "1.jpg")


@pytest.mark.parametrize("path", COMMANDS)
def test_help(featx, path):
    run = featx(*path.split(), "--help")
    assert (run.code, run.err) == (0, "")
    usage, purpose, *_ = run.out.split("\n\n")
    assert usage.startswith(f"Usage: featx {path} [OPTIONS]")
    assert re.fullmatch(r"  [A-Z][^\n]+\.", purpose)
    sections = re.findall(r"^(\w+):$", run.out, re.MULTILINE)
    assert sections == [*(one for one in PANELS if one in sections), "Example"]
    assert run.out.endswith(f"Example:\n  {COMMANDS[path].epilog}\n")
    assert all(len(line) <= 78 for line in run.out.splitlines()[:-1])
    words = " ".join(run.out.split())
    for parameter in COMMANDS[path].params:
        if parameter.default not in (None, False, []):
            shown = re.sub(r"[()]", "", str(parameter.default))
            assert f"[default: {shown}]" in words, parameter.name
        assert parameter.help, parameter.name
        assert parameter.rich_help_panel in PANELS


def test_purposes_are_listed_in_full(featx):
    listed = featx("--help").out
    for path, command in COMMANDS.items():
        if " " not in path:
            assert command.get_short_help_str() in listed
            assert "..." not in command.get_short_help_str()


@pytest.mark.parametrize("path", COMMANDS)
def test_examples_are_valid(example_files, path):
    words = COMMANDS[path].epilog.split()
    assert words[: 1 + len(path.split())] == ["featx", *path.split()]
    context = COMMANDS[path].make_context(path, words[1 + len(path.split()) :])
    assert context.params["json" if "json" in context.params else "plugin"] in (False, [])


@pytest.mark.parametrize("path", CHEAP)
def test_examples_run(featx, example_files, path):
    run = featx(*COMMANDS[path].epilog.split()[1:])
    assert run.code == 0, run.err


@pytest.mark.parametrize("path", [[], ["recipes"], ["datasets"]])
def test_groups_have_an_example(featx, path):
    run = featx(*path, "--help")
    line = run.out.splitlines()[-1]
    assert line.startswith(f"  featx {' '.join(path)}")
    assert run.out.endswith(f"\nExample:\n{line}\n")
