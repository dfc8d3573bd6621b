"""The command line imports no heavy library before a command has work to do."""

import os
import subprocess
import sys

import pytest

HEAVY = "numpy scipy sklearn numba cv2 PIL pyarrow skops matplotlib jinja2 torch pandas joblib rich"
SCRIPT = """
import sys
from featx.__main__ import run
heavy, arguments = sys.argv[1].split(), sys.argv[2:]
sys.argv = ["featx", *arguments]
try:
    run()
except SystemExit as end:
    code = end.code
print("imported:", *[name for name in heavy if name in sys.modules], file=sys.stderr)
"""


def imported(heavy, *arguments, **variables):
    """Return the libraries that a command imports, and its other messages."""
    environment = {name: value for name, value in os.environ.items() if name != "EAGER_IMPORT"}
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, heavy, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=environment | variables,
    )
    *others, last = process.stderr.splitlines()
    assert last.startswith("imported:")
    return last.split()[1:], others


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "--version",
        "",
        "nonsense",
        "compare --help",
        "recipes list",
        "recipes show hog-svm",
        "datasets list",
        "datasets show scene8",
        "extract nowhere --recipe hog-svm --out o",
        "extract . --bogus",
        "extract . --recipe hogsvm --out o",
        "extract . --recipe hog-svm --out o --jobs 0",
        "extract --recipe hog-svm --out o",
        "train . --recipe hog-svm --out model.pkl",
        "train . --recipe hog-svm --labels city:street --out m.skops",
        "predict . --model nowhere.skops --out p.csv",
        "predict . --out p.csv",
        "compare . --recipe hog-svm --out {busy}",
        "compare . --recipe hog-svm --out o --folds 1",
        "find stop-sign . --out hits.csv --threshold 5",
        "explain {image} --recipe hog-svm --out x.pdf",
        "explain {image} --out x.png",
    ],
)
def test_help_and_usage_errors_import_nothing_heavy(line, photos, monkeypatch):
    monkeypatch.chdir(photos)
    line = line.format(busy=photos, image=photos / "city" / "00.png")
    assert imported(HEAVY, *line.split())[0] == []


@pytest.mark.parametrize(
    "options", [["--folds", "7"], ["--labels", "a=cty"], ["--labels", "a=city"]]
)
def test_errors_of_listed_images_import_only_numpy(options, photos, tmp_path):
    command = ["compare", photos, "--recipe", "hog-svm", "--out", tmp_path / "o", *options]
    found, (message,) = imported(HEAVY, *command)
    assert found == ["numpy"]
    assert message.startswith("featx: ")


@pytest.mark.parametrize("words", ["featx extract x --recipe ho", "featx datasets show sce"])
def test_completion_imports_nothing_heavy(words):
    variables = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert imported(HEAVY, _FEATX_COMPLETE="complete_bash", **variables) == ([], [])
