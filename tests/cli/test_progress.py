import os
import pty
import re
import subprocess
import sys

from featx.cli.progress import Progress


def test_no_terminal_gets_plain_lines(capsys):
    with Progress(plain=False, total=3) as bar:
        bar(3)
    assert re.fullmatch(r"3 of 3 images, \d+ a second\n", capsys.readouterr().err)


def test_steps(capsys):
    with Progress(plain=True, total=4) as bar:
        bar(2)
        bar.step("hog-svm")
        bar(2)
    assert re.fullmatch(r"4 of 4 images, \d+ a second\n", capsys.readouterr().err)


def test_plain_lines_are_for_what_prints_no_lines_of_its_own():
    assert Progress(plain=False).verbose
    assert not Progress(plain=True).verbose


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
    # On a busy machine, lines may stand before it.
    assert re.search(r"^15 of 15 images, 3 refused, \d+ a second\r\n", shown, re.MULTILINE)
