import os
import pty
import re
import subprocess
import sys

import pytest

from featx.cli.progress import Progress


def test_no_terminal_gets_plain_lines(capsys):
    with Progress(plain=False) as report:
        report.begin("Features", 3)
        report(3)
    assert re.fullmatch(r"3 images in 0\.0 s, \d+/s\n", capsys.readouterr().err)


def test_phases(capsys):
    with Progress(plain=True) as report:
        report.begin("Features", 4)
        report(2)
        assert re.fullmatch(r"Features 2/4, \d+/s, \d+ s left", report.line())
        report.begin("Fitting hog-svm, fold 2 of 5")
        assert report.line() == "Fitting hog-svm, fold 2 of 5, 0 s"
    assert re.fullmatch(r"2 images in 0\.0 s, \d+/s\n", capsys.readouterr().err)


def test_plain_progress_hides_the_epochs_of_networks():
    assert Progress(plain=False).verbose
    assert not Progress(plain=True).verbose


def in_terminal(*arguments):
    """Run featx with a terminal for its messages; return the exit status, results and messages."""
    try:
        ours, theirs = pty.openpty()
    except OSError:
        pytest.skip("this system has no pseudo-terminals")
    process = subprocess.Popen(
        [sys.executable, "-m", "featx", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    out, _ = process.communicate()
    return process.returncode, out, shown.decode()


def test_a_terminal_gets_a_bar(photos, damaged, recipe, tmp_path):
    options = ["--recipe", recipe, "--out"]
    code, out, shown = in_terminal("extract", photos, *options, tmp_path / "bar")
    assert code == 0
    assert out == f"{tmp_path}/bar: 2 features of 12 images, 3 rejected\n"
    assert "━" in shown
    assert "Features" in shown
    assert "15/15" in shown
    assert "3 rejected" in shown
    assert "rejected: 1 empty, 1 not-an-image, 1 truncated; listed in " in shown
    code, _, shown = in_terminal("extract", photos, *options, tmp_path / "plain", "--quiet")
    assert code == 0
    assert "━" not in shown
    # On a busy machine, other lines may precede it.
    assert re.search(r"^15 images \(3 rejected\) in .* s, \d+/s\r\n", shown, re.MULTILINE)


def test_the_bar_shows_the_phases(photos, recipe, tmp_path):
    out = ["--folds", "3", "--out", tmp_path / "out", "--no-cache"]
    code, _, shown = in_terminal("compare", photos, "--recipe", recipe, *out)
    assert code == 0
    assert "Features" in shown
    assert re.search(r"12 images in .* s, \d+/s\r\n", shown, re.MULTILINE)
