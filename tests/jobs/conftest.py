from pathlib import Path

import numpy as np
import pytest
from noise_classes import draw
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """Write twelve images of three classes; files 0, 7 and 11 are broken."""
    images, labels = draw(12)
    paths = [str(tmp_path / f"{index:02}.png") for index in range(12)]
    for image, path in zip(images, paths, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    for index in (0, 7, 11):
        Path(paths[index]).write_bytes(b"broken")
    return paths, labels


@pytest.fixture
def photos(tmp_path):
    """Write twelve images of the classes a and b, and a text file among them."""
    images, labels = draw(12, 2)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(tmp_path / "photos" / label / f"{index:02}.png")
    (tmp_path / "photos" / "b" / "note.txt").write_text("text")
    return tmp_path / "photos"


@pytest.fixture
def readable(photos):
    """Return the readable images of the folder as paths and as arrays, and their classes."""
    paths = sorted(map(str, photos.glob("*/*.png")))
    arrays = [np.asarray(Image.open(path))[..., np.newaxis] for path in paths]
    return paths, arrays, [Path(path).parent.name for path in paths]


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
