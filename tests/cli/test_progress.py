import os
import pty
import re
import subprocess
import sys
from itertools import count

import pytest

from featx.cli import progress
from featx.cli.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """Let four seconds pass from each look at the clock to the next."""
    seconds = count(0, 4)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))


def test_plain_lines(capsys, clock):
    with Progress(50, plain=True) as bar:
        for refused in (0, 0, 2, 0, 1):
            bar(10, refused)
    out, err = capsys.readouterr()
    assert out == ""
    # The clock is looked at for each image, and when a line is said.
    assert err.splitlines() == [
        "30 of 50 images, 2 refused, 2 a second, 11 s left",
        "50 of 50 images, 3 refused, 2 a second",
    ]


def test_the_end_is_said_once(capsys, clock):
    with Progress(30, plain=True) as bar:
        for _ in range(3):
            bar(10)  # the third would be due for a line of its own
    assert capsys.readouterr().err.splitlines() == ["30 of 30 images, 2 a second"]


def test_a_short_job_says_one_line(capsys):
    with Progress(3, plain=True) as bar:
        for _ in range(3):
            bar(1)
    assert re.fullmatch(r"3 of 3 images, \d+ a second\n", capsys.readouterr().err)


def test_no_terminal_gets_plain_lines(capsys):
    with Progress(3, plain=False) as bar:
        bar(3)
    assert re.fullmatch(r"3 of 3 images, \d+ a second\n", capsys.readouterr().err)


def test_a_failure_says_nothing_of_the_progress(capsys):
    with pytest.raises(ValueError, match="broken"), Progress(3, plain=True):
        raise ValueError("broken")
    assert capsys.readouterr() == ("", "")


def test_steps(capsys):
    with Progress(4, plain=True) as bar:
        bar.step("features", 2)
        bar.step("features", 2)
        bar.step("hog-svm", 0)
    assert re.fullmatch(r"4 of 4 images, \d+ a second\n", capsys.readouterr().err)


def in_terminal(*arguments):
    """Run featx with a terminal for its messages; give the exit status, results and messages."""
    ours, theirs = pty.openpty()
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
    assert out == f"{tmp_path}/bar: 2 features of 12 images, 3 refused\n"
    assert "━" in shown
    assert "15/15" in shown
    assert "3 refused" in shown
    assert "refused: 1 empty, 1 not-an-image, 1 truncated; listed in " in shown
    code, _, shown = in_terminal("extract", photos, *options, tmp_path / "plain", "--quiet")
    assert code == 0
    assert "━" not in shown
    assert re.match(r"15 of 15 images, 3 refused, \d+ a second\r\n", shown)


def test_a_total_that_is_known_late(capsys, clock):
    with Progress(None, plain=True) as bar:
        for _ in range(3):
            bar(10)
        bar.expect(30)
    assert capsys.readouterr().err.splitlines() == [
        "30 images, 2 a second",
        "30 of 30 images, 2 a second",
    ]


def test_what_was_said_is_not_said_again(capsys, clock):
    with Progress(30, plain=True) as bar:
        for _ in range(3):
            bar(10)
    assert capsys.readouterr().err.splitlines() == ["30 of 30 images, 2 a second"]
