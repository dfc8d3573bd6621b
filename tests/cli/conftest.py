import re
import signal
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from featx.cli.main import main

# The summary of a job: number of images, time and rate.
PROGRESS = re.compile(r"^(\d+ images(?: \(\d+ rejected\))?) in .* s, \d+/s\n", re.MULTILINE)


@dataclass
class Run:
    """Exit status and output of a command; ``err`` omits time and rate, which vary."""

    code: int
    out: str
    err: str


@pytest.fixture
def featx(capsys, monkeypatch, tmp_path, tmp_path_factory):
    """Return a function that runs the command line in this process, in an empty folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["featx", *map(str, arguments)])
        capsys.readouterr()
        with warnings.catch_warnings():
            # Show warnings, as outside of tests.
            warnings.resetwarnings()
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                main()
                code = 0
            except SystemExit as end:
                code = end.code or 0
        out, err = capsys.readouterr()
        return Run(code, out, PROGRESS.sub(r"\1\n", err))

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def photos(tmp_path):
    """Write twelve images of vertical stripes (class city) and horizontal stripes (field)."""
    rng = np.random.default_rng(0)
    for index in range(12):
        image = rng.integers(0, 60, (32, 40), np.uint8)
        label = ("city", "field")[index % 2]
        image += rng.integers(0, 190, (1, 40) if label == "city" else (32, 1), np.uint8)
        (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "photos" / label / f"{index:02}.png")
    return tmp_path / "photos"


@pytest.fixture
def damaged(photos):
    """Add three files that are rejected; return their reasons and messages."""
    (photos / "city" / "00 empty.png").write_bytes(b"")
    (photos / "field" / "note.txt").write_text("text")
    whole = (photos / "field" / "01.png").read_bytes()
    (photos / "field" / "part.png").write_bytes(whole[: len(whole) // 2])
    return {
        "city/00 empty.png": ("empty", "the file has no bytes."),
        "field/note.txt": (
            "not-an-image",
            "unknown image format. Supported formats: JPEG, PNG, GIF, TIFF, BMP, WebP and "
            "PPM/PGM/PBM.",
        ),
        "field/part.png": ("truncated", "the PNG file ends before its image is complete."),
    }


@pytest.fixture
def refused_lines(photos, damaged):
    """Return the lines printed for the rejected files."""
    return "".join(
        f"rejected: {photos}/{name}: {reason}: {detail}\n"
        for name, (reason, detail) in damaged.items()
    )


@pytest.fixture
def recipe(tmp_path):
    """Write a small recipe and return its file."""
    file = tmp_path / "small.yaml"
    file.write_text(
        "title: Small\nsource: tests\nsteps:\n  - ReadImages: {size: [16, 16], mode: gray}\n"
        "  - Sobel: {axis: both}\n  - Summarize: {statistics: [mean_absolute]}\n"
        "  - StandardScaler\n  - GaussianNB\n"
    )
    return file


@pytest.fixture
def model(featx, photos, recipe, tmp_path):
    """Train a model on the photos and return its file."""
    file = tmp_path / "model.skops"
    assert featx("train", photos, "--recipe", recipe, "--out", file).code == 0
    return file


@pytest.fixture
def nothing_new(tmp_path):
    """Return a function that checks that no file was added or removed since its last call."""
    seen = [None]

    def check():
        files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
        assert files == (seen[0] or files)
        seen[0] = files

    return check
