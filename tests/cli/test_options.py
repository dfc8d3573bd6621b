import json
import sys
from pathlib import Path

import pytest
import typer

from featx.cli.options import show, show_refused
from featx.core.errors import RefusedImage
from featx.pipeline import registry

REFUSED = [
    RefusedImage("a/1.png", "empty", "the file has no bytes."),
    RefusedImage("b/\udcff\n\x1b[31m é.png", "missing", "the file does not exist."),
]


def test_results_as_text_and_as_json(capsys):
    result = {"images": 3, "classes": {"city": 1, "é": 2}}
    show(result, "3 images: city 1, é 2", as_json=False)
    assert capsys.readouterr() == ("3 images: city 1, é 2\n", "")
    show(result, "3 images: city 1, é 2", as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == result
    assert err == ""


def test_control_characters_are_escaped(capsys):
    show({}, "a \x1b[2J 1\nb \r 2", as_json=False)
    assert capsys.readouterr() == ("a \\x1b[2J 1\nb \\r 2\n", "")


def test_refused_images_have_a_line_each(capsys):
    show_refused(iter(REFUSED), strict=False)
    assert capsys.readouterr() == (
        "",
        "rejected: a/1.png: empty: the file has no bytes.\n"
        "rejected: b/\\xff\\n\\x1b[31m é.png: missing: the file does not exist.\n",
    )


def test_refused_images_are_a_failure_under_strict(capsys):
    show_refused([], strict=True)
    with pytest.raises(typer.Exit) as end:
        show_refused(iter(REFUSED), strict=True)
    assert end.value.exit_code == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


OWN = """
import numpy as np
from featx import ImageStage, register_stage

@register_stage
class Brightness(ImageStage):
    takes, gives = "pixels", "vectors"

    def _transform_one(self, image):
        return np.float32([image.mean()])
"""


@pytest.fixture
def own(featx, recipe, monkeypatch):
    """Write a module with a stage to the current folder, and a recipe that uses it."""
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    with open("own_stages.py", "w") as file:
        file.write(OWN)
    steps = "steps:\n  - ReadImages\n  - Brightness\n  - GaussianNB\n"
    recipe.write_text(f"title: Own\nsource: tests\n{steps}")
    yield recipe
    sys.modules.pop("own_stages", None)


def commands(recipe, photos):
    """List the commands that read a recipe or a model, in an order that can be run."""
    return [
        ["recipes", "show", recipe],
        ["recipes", "check", recipe],
        ["extract", photos, "--recipe", recipe, "--out", "features"],
        ["train", photos, "--recipe", recipe, "--out", "m.skops"],
        ["predict", photos, "--model", "m.skops", "--out", "p.csv"],
        ["evaluate", photos, "--model", "m.skops"],
        ["compare", photos, "--recipe", recipe, "--folds", "2", "--out", "report"],
        ["explain", photos / "city" / "00.png", "--recipe", recipe, "--out", "r.png"],
        ["explain", photos / "city" / "00.png", "--model", "m.skops", "--out", "m.png"],
    ]


def test_every_command_with_a_plugin(featx, photos, own):
    for command in commands(own, photos):
        run = featx(*command, "--plugin", "own_stages")
        assert run.code == 0, run.err


def test_every_command_with_a_missing_plugin(featx, photos, own):
    Path("m.skops").write_bytes(b"PK")
    for command in commands(own, photos):
        run = featx(*command, "--plugin", "no_stages")
        assert (run.code, run.out, run.err) == (
            2,
            "",
            "featx: --plugin no_stages: cannot be imported (ModuleNotFoundError: No module named "
            "'no_stages'). Name a module that is installed or in the current folder, such as "
            "mypackage.stages.\n",
        )


def test_a_model_without_its_plugin(featx, photos, own, monkeypatch):
    train = ["train", photos, "--recipe", own, "--out", "m.skops"]
    assert featx(*train, "--plugin", "own_stages").code == 0
    monkeypatch.setattr(registry, "_registered", {})
    for command in (["predict", photos, "--out", "p.csv"], ["evaluate", photos]):
        run = featx(*command, "--model", "m.skops")
        assert (run.code, run.out) == (1, "")
        assert run.err == (
            "featx: m.skops: not loaded: it contains own_stages.Brightness, which is not part of "
            "featx. If you trust this code, use load_model(file, "
            "trusted=['own_stages.Brightness']), or --plugin own_stages on the command line.\n"
        )
