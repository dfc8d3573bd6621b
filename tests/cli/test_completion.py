"""Shell completion: its scripts, its installation, and the completed words."""

import os
import shutil
import subprocess
import sys

import pytest

from featx.io import bundled

SHELLS = ["bash", "zsh", "fish"]


def complete(featx, monkeypatch, shell, *words):
    """Return the completions of the last word."""
    monkeypatch.setenv("_FEATX_COMPLETE", f"complete_{shell}")
    if shell == "bash":
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(words))
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    run = featx()
    assert (run.code, run.err) == (0, "")
    return run.out


@pytest.mark.parametrize("shell", SHELLS)
def test_script(featx, monkeypatch, shell):
    monkeypatch.setenv("_FEATX_COMPLETE", f"source_{shell}")
    run = featx()
    assert (run.code, run.err) == (0, "")
    assert f"_FEATX_COMPLETE=complete_{shell}" in run.out
    assert "featx" in run.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=run.out, text=True, check=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_recipes(featx, monkeypatch, shell):
    shown = complete(featx, monkeypatch, shell, "featx", "extract", "photos", "--recipe", "ve")
    words = shown.split('"' if shell == "zsh" else None)
    expected = [name for name in bundled.names("pipelines") if name.startswith("ve")]
    assert [word for word in words if word in bundled.names("pipelines")] == expected


@pytest.mark.parametrize("words", [["compare", "x", "--recipe"], ["explain", "x", "--recipe"]])
def test_recipes_of_other_commands(featx, monkeypatch, words):
    assert complete(featx, monkeypatch, "bash", "featx", *words, "hog").split() == ["hog-svm"]


def test_commands_options_and_data_sets(featx, monkeypatch):
    assert complete(featx, monkeypatch, "bash", "featx", "ex").split() == ["extract", "explain"]
    shown = complete(featx, monkeypatch, "bash", "featx", "compare", "x", "--fo")
    assert shown.split() == ["--folds"]
    shown = complete(featx, monkeypatch, "bash", "featx", "datasets", "show", "scenes")
    assert shown.split() == [n for n in bundled.names("datasets") if n.startswith("scenes")]
    shown = complete(featx, monkeypatch, "bash", "featx", "recipes", "check", "gist")
    assert shown.split() == ["gist-svm"]


def test_values_before_the_word_are_not_checked(featx, monkeypatch, nothing_new):
    nothing_new()
    words = ["featx", "compare", "nowhere", "--out", "new", "--recipe", "hog"]
    assert complete(featx, monkeypatch, "bash", *words).split() == ["hog-svm"]
    nothing_new()


def test_installation(tmp_path):
    command = f"{sys.executable} -m featx --install-completion; echo $?"
    process = subprocess.run(
        ["bash", "--norc", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert process.stdout.splitlines()[-1] == "0", process.stderr
    script = tmp_path / ".bash_completions" / "featx.sh"
    assert str(script) in (tmp_path / ".bashrc").read_text()
    registered = subprocess.run(
        ["bash", "--norc", "-c", f"source {script}; complete -p featx"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_featx_completion featx" in registered.stdout
