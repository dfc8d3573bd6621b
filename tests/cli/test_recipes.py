import json

import pytest

from featx.core.suggestions import nearest
from featx.io import bundled
from featx.pipeline.recipes import find_recipe, read_recipe

NAMES = bundled.names("pipelines")
TITLES = {name: read_recipe(name).title for name in NAMES}


def test_list(featx):
    run = featx("recipes", "list")
    assert (run.code, run.err) == (0, "")
    lines = [line.split(maxsplit=1) for line in run.out.splitlines()]
    assert lines == [[name, title] for name, title in TITLES.items()]
    assert [name for name, _ in lines] == NAMES
    assert json.loads(featx("recipes", "list", "--json").out) == TITLES


@pytest.mark.parametrize("name", NAMES)
def test_show_and_check(featx, name):
    run = featx("recipes", "show", name)
    assert (run.code, run.err) == (0, "")
    assert run.out == find_recipe(name).read_text(encoding="utf-8")
    known = read_recipe(name)
    run = featx("recipes", "check", name)
    assert (run.code, run.err) == (0, "")
    assert run.out == f"{known.path}: {known.title}. The recipe is valid.\n"
    assert json.loads(featx("recipes", "check", name, "--json").out) == {
        "name": name,
        "title": known.title,
        "digest": known.digest,
    }


def test_a_file(featx, recipe):
    assert featx("recipes", "show", recipe).out == recipe.read_text()
    run = featx("recipes", "check", recipe)
    assert (run.code, run.out) == (0, f"{recipe}: Small. The recipe is valid.\n")
    recipe.write_text(recipe.read_text().replace("mode: gray", "mood: gray"))
    run = featx("recipes", "check", recipe)
    assert (run.code, run.out, run.err) == (
        2,
        "",
        f"featx: {recipe}:4: ReadImages has no parameter 'mood'. Did you mean mode?\n",
    )


@pytest.mark.parametrize("command", ["show", "check"])
def test_no_such_recipe(featx, command):
    run = featx("recipes", command, "hog")
    assert (run.code, run.out) == (2, "")
    assert run.err == (f"featx: hog: no such recipe or file. {nearest('hog', NAMES)}\n")
