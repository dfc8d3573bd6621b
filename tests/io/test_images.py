import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from featx import ReadImages
from featx.io.resizing import resize_image

RGB = np.random.default_rng(0).integers(0, 256, (47, 61, 3), np.uint8)
GRAY = np.asarray(Image.fromarray(RGB).convert("L"))


@pytest.fixture
def path(tmp_path):
    """Write the image to a PNG file."""
    Image.fromarray(RGB).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_size_and_mode(path):
    stage = ReadImages((20, 30), "gray", "pad", background=(0, 0, 255))
    batch = stage.fit_transform([path, path])
    assert batch.shape == (2, 20, 30, 1)
    assert batch.dtype == np.uint8
    assert batch[0, 0, 0, 0] == 29  # luma of the background, 0.114 * 255
    inner = resize_image(GRAY[..., np.newaxis], (20, 30), "pad", (29,))
    np.testing.assert_array_equal(batch[1], inner)
    assert stage.get_feature_names_out().tolist() == ["gray"]
    assert ReadImages().get_feature_names_out().tolist() == ["red", "green", "blue"]


def test_resize_is_a_parameter_as_any_other():
    stage = ReadImages(resize="crop")
    assert stage.get_params()["resize"] == "crop"
    assert stage.set_params(resize="pad", mode="gray") is stage
    assert stage.get_params() == ReadImages(mode="gray", resize="pad").get_params()
    with pytest.raises(ValueError) as caught:
        ReadImages(resize="squeeze").transform([])
    assert str(caught.value) == (
        "The 'resize' parameter of ReadImages must be a str among {'crop', 'pad', 'shrink', "
        "'stretch'}. Got 'squeeze' instead."
    )


def test_arrays_pass_through():
    images = [RGB, GRAY]
    result = ReadImages().transform(images)
    np.testing.assert_array_equal(result[0], RGB)
    np.testing.assert_array_equal(result[1], images[1])


@pytest.mark.parametrize(
    "parameters",
    [
        {"mode": "gray"},
        {"mode": "gray", "size": (5, 9)},
        {"mode": "gray", "size": (60, 99), "resize": "pad", "background": (9, 99, 199)},
        {"size": (60, 9), "resize": "crop"},
        {"size": (7, 99), "resize": "pad", "background": (9, 99, 199)},
    ],
)
def test_arrays_are_brought_to_size_and_grey_as_files_are(parameters, path):
    reader = ReadImages(**parameters)
    expected = reader.transform([path])
    np.testing.assert_array_equal(reader.transform([RGB]), expected)
    float32 = reader.transform([RGB.astype(np.float32) / 255])
    np.testing.assert_allclose(float32, expected / 255, rtol=0, atol=1.6 / 255)


def test_paths_may_be_str_bytes_or_path(path):
    odd = os.fsencode(path.parent) + b"/\xff\xfe.png"
    Path(os.fsdecode(odd)).write_bytes(path.read_bytes())
    for name in (path, str(path), os.fsencode(path), odd):
        np.testing.assert_array_equal(ReadImages().transform([name])[0], RGB)
