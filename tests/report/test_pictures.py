import base64
from io import BytesIO

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from featx.report.pictures import Album, confusion_picture, jpeg, mosaic, overlaid, pixels_of, png


def test_pixels_of(tmp_path):
    image = np.zeros((20, 40, 3), np.uint8)
    image[..., 0] = 200
    Image.fromarray(image).save(tmp_path / "a.png")
    for source in (image, str(tmp_path / "a.png"), image.astype(np.uint16) * 257, image / 255):
        pixels = pixels_of(source, (32, 32))
        assert pixels.shape == (32, 32, 3)
        assert pixels.dtype == np.uint8
        assert pixels[16, 16].tolist() == [200, 0, 0]
        assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels_of(image, (32, 32), "stretch")[0, 0].tolist() == [200, 0, 0]
    gray = pixels_of(image[..., :1], (32, 32), "stretch")
    assert gray[5, 5].tolist() == [200, 200, 200]


def content(uri):
    return BytesIO(base64.b64decode(uri.split(",")[1]))


def test_encoded():
    pixels = np.full((16, 16, 3), (20, 150, 90), np.uint8)
    assert (
        np.abs(simplejpeg.decode_jpeg(content(jpeg(pixels)).read()).astype(int) - pixels).max() < 8
    )
    assert np.asarray(Image.open(content(png(pixels)))).tolist() == pixels.tolist()


def test_overlaid():
    pixels = np.full((4, 4, 3), 100, np.uint8)
    drawn = overlaid(pixels, np.array([[1.0, -1.0], [0.0, 5.0]]), 1.0)
    red, blue, none, more = drawn[0, 0], drawn[0, 3], drawn[3, 0], drawn[3, 3]
    assert red[0] > 150 > red[2]
    assert blue[2] > 150 > blue[0]
    assert none.tolist() == [100, 100, 100]
    assert more.tolist() == red.tolist()


def test_mosaic():
    images = [np.full((8, 8, 3), value, np.uint8) for value in (10, 200)]
    drawn = mosaic(images, np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1]), side=40)
    assert drawn[3, 3].tolist() == [10, 10, 10]
    assert drawn[35, 35].tolist() == [200, 200, 200]
    assert drawn[0, 0].tolist() != drawn[39, 39].tolist()


def test_confusion_picture():
    drawn = confusion_picture(np.array([[4, 0], [2, 2], [0, 0]]), cell=2)
    assert drawn.shape == (6, 4, 3)
    assert drawn[0, 0].tolist() == [13, 44, 77]
    assert drawn[0, 2].tolist() == drawn[5, 0].tolist() == [255, 255, 255]


def test_an_album_reads_each_image_once(monkeypatch):
    read = []

    def seen(image, size, resize):
        read.append(size)
        return pixels_of(image, size, resize)

    monkeypatch.setattr("featx.report.pictures.pixels_of", seen)
    album = Album([np.zeros((8, 8, 1), np.uint8)])
    assert album.thumbnail(0) == album.thumbnail(0)
    album.pixels(0, (96, 96), "pad")
    assert read == [(96, 96)]
    with pytest.raises(IndexError):
        album.thumbnail(3)
