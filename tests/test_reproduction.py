"""Tests of the reproduction ledger: its figures, causes and commands, and its page."""

# ruff: noqa: RUF001  # × and − belong to the page

import importlib.util
import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from featx.io import bundled
from featx.pipeline.recipes import read_recipe

ROOT = Path(__file__).parents[1]


def load():
    spec = importlib.util.spec_from_file_location(
        "reproduction", ROOT / "benchmarks" / "reproduction.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["reproduction"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


ledger = load()
FIGURES = {figure.key: figure for figure in ledger.FIGURES}
COMPUTED = [
    key
    for key, figure in FIGURES.items()
    if isinstance(figure.ours, ledger.Expression | ledger.Function)
]


@pytest.fixture(scope="module")
def values():
    return ledger.read()


@pytest.mark.parametrize("key", COMPUTED)
def test_computed_figures_agree_unless_a_cause_is_given(key, values):
    figure = FIGURES[key]
    agrees = ledger.agrees(figure, values[key])
    assert agrees == (not figure.cause), f"published {figure.published}, featx {values[key]}"


@pytest.mark.parametrize("key", FIGURES)
def test_every_figure_has_a_source_a_command_and_a_cause_where_it_differs(key, values):
    figure = FIGURES[key]
    assert figure.name
    assert figure.source
    assert figure.ours.command(key)
    assert figure.cause or ledger.agrees(figure, values[key])
    assert "|" not in ledger.row(figure, values[key])[1:-1].replace(" | ", "")


@pytest.mark.parametrize("key", FIGURES)
def test_commands_exist(key):
    figure = FIGURES[key]
    command = figure.ours.command(key)
    if isinstance(figure.ours, ledger.Expression):
        compile(command, key, "eval")
        return
    program, script, *arguments = shlex.split(command)
    assert program == "python"
    assert (ROOT / script).is_file()
    if isinstance(figure.ours, ledger.Accuracy):
        recipe, option, task = arguments
        assert recipe in bundled.names("pipelines")
        assert option == "--task"
        assert task in json.loads(ledger.ACCURACIES.read_text())
    else:
        assert arguments == [key]


def test_keys_are_unique():
    assert len(FIGURES) == len(ledger.FIGURES)


def test_stored_figures_have_a_date_and_a_command():
    stored = json.loads(ledger.STORED.read_text())
    for key, one in stored.items():
        assert isinstance(FIGURES[key].ours, ledger.Measured)
        assert one["command"] == FIGURES[key].ours.command(key)
        assert len(one["date"]) == len("2026-12-01")
        assert np.isfinite(one["value"])


@pytest.mark.parametrize("name", bundled.names("pipelines"))
def test_published_figures_of_recipes_are_in_the_ledger(name):
    found = {
        figure.ours.task: figure.published
        for figure in ledger.FIGURES
        if isinstance(figure.ours, ledger.Accuracy) and figure.ours.recipe == name
    }
    assert read_recipe(name).published.items() <= found.items()


def test_page_is_up_to_date(values):
    written = ledger.PAGE.read_text(encoding="utf-8")
    assert written == ledger.page(values), "Run: python benchmarks/reproduction.py --write"


@pytest.mark.parametrize(
    ("published", "ours", "tolerance", "expected"),
    [
        (5.0, 5.04, 0.05, "none"),
        (5.0, 5.06, 0.05, "+0.1"),
        (5.0, 4.9, 0.05, "−0.1"),
        ([1, 2, 3], [1, 2, 4], 0, "1 of 3 entries"),
        ([1, 2, 3], [1, 2, 3], 0, "none"),
        ("2 × 3", "3 × 2", 0, ""),
        (5.0, None, 0.05, ""),
    ],
)
def test_differences_are_shown(published, ours, tolerance, expected):
    figure = ledger.Figure(
        "k", "n", "s", published, ledger.Expression("0"), tolerance=tolerance, digits=1
    )
    assert ledger.difference(figure, ours) == expected


def test_unknown_keys_are_rejected(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reproduction.py", "hog"])
    with pytest.raises(SystemExit):
        ledger.main()
    assert "error: hog: unknown figure. Known: convolution-length, " in capsys.readouterr().err


def test_figures_of_data_need_a_data_folder(monkeypatch, capsys):
    monkeypatch.delenv("FEATX_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["reproduction.py", "lenet-5-test-error"])
    with pytest.raises(SystemExit):
        ledger.main()
    assert (
        "error: lenet-5-test-error: needs a data folder. Set FEATX_DATA, or use --data."
        in capsys.readouterr().err
    )
