"""Files that are broken on purpose, among good ones."""

import re
import subprocess
import sys
import warnings
from io import BytesIO

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import dataset

from featx.core.errors import RefusedImage
from featx.io.decoding import read_image
from featx.io.files import REASONS, ImageFile


def test_every_hostile_file_has_one_row(real_data, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "hostile").symlink_to(real_data / "hostile")
    (folder / "good").mkdir()
    good = sorted((real_data / "scenes8" / "train" / "coast").iterdir())[:100]
    for path in good:
        (folder / "good" / path.name).symlink_to(path)
    files = sorted(path for path in (real_data / "hostile").rglob("*") if path.is_file())
    command = [sys.executable, "-m", "featx", "extract", folder, "--recipe", "line-energies"]
    run = subprocess.run(
        [*command, "--out", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0
    rows = dataset.dataset(tmp_path / "out").to_table().to_pylist()
    assert len({row["path"] for row in rows}) == len(rows) == len(files) + len(good)
    for row in rows:
        assert (row["reason"] is None) == (row["status"] == "ok") == (row["features"] is not None)
        assert row["status"] in ("ok", "refused")
        assert row["reason"] in {None, *REASONS}
        assert row["reason"] != "crashed"
        if row["label"] == "good":
            assert row["status"] == "ok"
        name = row["path"].rpartition("/")[2]
        if "pngsuite" in row["path"] and name.endswith(".png"):
            assert (row["status"] == "refused") == name.startswith("x"), name
    refused = sum(row["status"] == "refused" for row in rows)
    # The terminal shows progress and the summary, and no warning.
    progress, *others = run.stderr.splitlines()[-2:]
    assert progress.startswith(f"{len(rows)} images ({refused} rejected) in ")
    assert len(others) == 1
    assert re.fullmatch(r"rejected: (\d+ [a-z-]+(, )?)+; listed in .*out\.refused\.csv", others[0])
    lines = run.stderr.splitlines()[:-2]
    assert all(line.startswith(("Features ", "rejected: ")) for line in lines)


RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (24, 32, 3), np.uint8))
KINDS = {
    "jpeg": {"format": "JPEG"},
    "progressive": {"format": "JPEG", "progressive": True},
    "png": {"format": "PNG"},
    "gif": {"format": "GIF"},
    "bmp": {"format": "BMP"},
    "webp": {"format": "WEBP"},
    "lossless": {"format": "WEBP", "lossless": True},
    "ppm": {"format": "PPM"},
    "tiff": {"format": "TIFF"},
    "lzw": {"format": "TIFF", "compression": "tiff_lzw"},
    "deflate": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    "packbits": {"format": "TIFF", "compression": "packbits"},
    "jpeg in tiff": {"format": "TIFF", "compression": "jpeg"},
}


def encoded(options):
    content = BytesIO()
    RGB.save(content, **options)
    return content.getvalue()


FILES = {kind: encoded(options) for kind, options in KINDS.items()}


@st.composite
def damaged(draw, kind):
    """Cut a good file, flip bits of it, write over it, and splice it with another."""
    content = bytearray(FILES[kind])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        act = draw(st.sampled_from(["cut", "drop", "flip", "write", "splice", "repeat"]))
        if act == "cut":
            del content[at:]
        elif act == "drop":
            del content[at : at + draw(st.integers(1, 64))]
        elif act == "flip" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif act == "write":
            content[at : at + 4] = draw(st.binary(min_size=1, max_size=4))
        elif act == "splice":
            other = FILES[draw(st.sampled_from(sorted(FILES)))]
            content[at:] = other[draw(st.integers(0, len(other) - 1)) :]
        else:
            content[at:at] = content[at : at + draw(st.integers(1, 64))]
    return bytes(content)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_pixels_or_refused(kind, capfd):
    @settings(max_examples=60)
    @given(damaged(kind))
    @example(b"")
    def check(content):
        file = ImageFile("memory:///x", content=content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                pixels = read_image(file, max_pixels=100_000)
            except RefusedImage as refused:
                reason = refused.reason
            else:
                reason = None
                shown = pixels.ndim, pixels.shape[2], pixels.size > 0
        assert reason in REASONS or shown == (3, 3, True)

    check()
    # Decoders would talk to the terminal by themselves.
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
