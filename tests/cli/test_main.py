import os
import signal
import subprocess
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

import featx as package

COMMANDS = ["extract", "train", "predict", "evaluate", "compare", "explain", "find", "demo"]
COMMANDS += ["recipes", "datasets"]
EXTRACT = "featx extract photos --recipe hog-svm --out features"
# The command as a shell starts it.
FEATX = [sys.executable, "-m", "featx"]


def start(*arguments, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*FEATX, *map(str, arguments)], **{**pipes, **options})


def nowhere():
    """Return the message for a missing folder, without its name."""
    return f"no such folder or file. IMAGES is looked for from the current folder, {os.getcwd()}."


def python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "EAGER_IMPORT"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_help(featx):
    run = featx("--help")
    assert (run.code, run.err) == (0, "")
    listed = run.out.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == COMMANDS
    assert "--debug" in run.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(featx, command):
    run = featx(command, "--help")
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith(f"Usage: featx {command} ")


def test_version(featx):
    run = featx("--version")
    assert (run.code, run.out, run.err) == (0, f"featx {package.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extrct"], "extrct: featx has no such command. Did you mean extract?"),
        (
            ["--bogus"],
            "--bogus: featx has no such option. Known: --version, --install-completion, "
            "--show-completion, --help.",
        ),
        (["extract"], f"extract: IMAGES is missing. For example: {EXTRACT}"),
        (["extract", "."], f"extract: --recipe is missing. For example: {EXTRACT}"),
        (
            ["extract", ".", "--recipe", "hog-svm"],
            f"extract: --out is missing. For example: {EXTRACT}",
        ),
        (["recipes", "lst"], "lst: featx recipes has no such command. Did you mean list?"),
    ],
)
def test_wrong_usage(featx, arguments, message, nothing_new):
    Path("file").touch()
    nothing_new()
    run = featx(*arguments)
    assert (run.code, run.out, run.err) == (2, "", f"featx: {message}\n")
    nothing_new()


@pytest.mark.parametrize("arguments", [[], ["recipes"], ["datasets"]])
def test_without_a_command(featx, arguments):
    run = featx(*arguments)
    assert run.code == 2
    assert "Commands:" in run.out + run.err


def test_debug_shows_where(featx):
    with pytest.raises(ValueError, match="no such folder or file"):
        featx("extract", "nowhere", "--recipe", "hog-svm", "--out", "out", "--debug")
    process = start("--debug", "extract", "nowhere", "--recipe", "hog-svm", "--out", "out")
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):")
    assert err.endswith(f"ArgumentError: nowhere: {nowhere()}\n")


def test_an_error_is_one_line():
    process = start("extract", "nowhere\n", "--recipe", "hog-svm", "--out", "out")
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err == f"featx: nowhere : {nowhere()}\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            ZeroDivisionError("by\nzero"),
            1,
            "ZeroDivisionError: by zero (--debug prints a traceback)\n",
        ),
        (OSError(28, "No space left on device"), 1, "[Errno 28] No space left on device\n"),
        (MemoryError(), 1, "memory: not enough is free. Use fewer --jobs.\n"),
        (ValueError("no \x1b[2J class"), 1, "no \\x1b[2J class\n"),
        (KeyboardInterrupt(), 130, "interrupted.\n"),
    ],
)
def test_unexpected_errors(featx, photos, recipe, monkeypatch, error, code, line):
    def fail(*_):
        raise error

    monkeypatch.setattr("featx.io.decoding.read_file", fail)
    monkeypatch.setattr("featx.datasets.listing.iterate_images", fail)
    run = featx("extract", photos, "--recipe", recipe, "--out", "out")
    assert (run.code, run.out) == (code, "")
    assert run.err.startswith(f"featx: {line}")
    assert run.err.count("\n") == 1
    assert os.listdir() == []


@pytest.mark.parametrize(("kind", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption(photos, tmp_path, kind, code, wait_for):
    out = tmp_path / "new" / "out"
    # Two images, listed ten thousand times, keep the run busy.
    manifest = tmp_path / "m.csv"
    rows = f"{photos}/city/00.png,city\n{photos}/field/01.png,field\n"
    manifest.write_text("path,label\n" + rows * 10_000)
    before = signal.getsignal(signal.SIGINT)
    # A shell lets background jobs, such as these tests, ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with start("compare", manifest, "--recipe", "line-energies", "--out", out) as process:
        signal.signal(signal.SIGINT, before)
        try:
            wait_for(lambda: [*tmp_path.glob("new/.out-*")], process)
            assert len([*tmp_path.glob("new/.out-*")]) == 1
            process.send_signal(kind)
            assert process.communicate(timeout=300) == ("", "featx: interrupted.\n")
        finally:
            process.kill()
    assert process.returncode == code
    assert not out.parent.exists()


def test_a_closed_pipe():
    with start("recipes", "show", "hog-svm") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_as_installed():
    process = subprocess.run(
        [Path(sys.executable).with_name("featx"), "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == f"featx {package.__version__}\n"


def test_characters_that_the_terminal_lacks(photos, recipe, tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    out = tmp_path / "é"
    process = start("extract", photos, "--recipe", recipe, "--out", out, env=environment)
    shown, err = process.communicate()
    assert (process.returncode, shown) == (
        0,
        f"{tmp_path}/\\xe9: 2 features of 12 images, 0 rejected\n",
    ), err


HEAVY = "numpy scipy sklearn numba cv2 PIL pyarrow skops matplotlib jinja2 torch pandas joblib rich"
START = """
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
        [sys.executable, "-c", START, heavy, *map(str, arguments)],
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


WITHOUT_EXTRAS = """
import sys
for name in ("distributed", "skimage", "skorch", "soundfile"):
    sys.modules[name] = None
import featx.report.explanation, featx.report.page, featx.cli.main
for line in sys.argv[1:]:
    sys.argv = ["featx", *line.split("|")]
    try:
        featx.cli.main.main()
        code = 0
    except SystemExit as end:
        code = end.code
    print("exit:", code, file=sys.stderr)
"""


def test_everything_else_without_extras(photos, recipe, tmp_path):
    model = tmp_path / "m.skops"
    lines = [
        f"extract|{photos}|--recipe|{recipe}|--out|{tmp_path}/out",
        f"train|{photos}|--recipe|{recipe}|--out|{model}",
        f"predict|{photos}|--model|{model}|--out|{tmp_path}/p.csv",
        f"predict|{photos}|--model|{model}|--out|{tmp_path}/p.parquet",
        f"evaluate|{photos}|--model|{model}",
        f"compare|{photos}|--recipe|{recipe}|--out|{tmp_path}/report|--folds|2",
        f"explain|{photos}/city/00.png|--recipe|{recipe}|--out|{tmp_path}/explained.html",
        "recipes|list",
        "datasets|list",
    ]
    process = python(WITHOUT_EXTRAS, *lines)
    exits = [line for line in process.stderr.splitlines() if "images" not in line]
    assert exits == ["exit: 0"] * len(lines)


JOBS = ["extract", "train", "predict", "evaluate", "compare", "explain", "find"]


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_the_parameters_of_its_command_in_the_same_order(name):
    options = [*signature(getattr(import_module(f"featx.cli.{name}"), name)).parameters]
    job = signature(getattr(package, name)).parameters
    others = {"jobs": "n_jobs", "plugin": "trusted"}
    shared = [others.get(option, option) for option in options]
    assert [one for one in shared if one in job] == [one for one in job if one in shared]
    # Options that concern only the command line.
    left = set(options) - {*job, *others, "json", "quiet", "strict", "no_cache"}
    assert left == set()
    for parameter in list(job.values())[job_arguments(name) :]:
        assert parameter.kind is parameter.KEYWORD_ONLY


def job_arguments(name):
    """Return the number of positional arguments: the images and, for find, the pattern."""
    return 2 if name == "find" else 1
