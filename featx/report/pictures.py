"""Thumbnails, overlays and other pictures of the HTML report."""

import base64
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from featx.core.errors import RefusedImage
from featx.core.warning_filters import IgnoredWarnings
from featx.io.images import ReadImages
from featx.io.resizing import resize_image

Pixels = NDArray[np.uint8]
THUMBNAIL, LARGE = (96, 96), (192, 192)
_QUALITY = 72
#: Class colors in embeddings. The first ones are distinguishable with color blindness.
CLASS_COLORS = np.array(
    [
        *((59, 119, 183), (217, 130, 26), (46, 139, 87), (128, 90, 170), (200, 60, 60)),
        *((0, 150, 160), (150, 120, 60), (210, 90, 160), (110, 110, 110), (160, 180, 40)),
    ],
    np.uint8,
)
# Characters missing from the font are drawn as boxes.
_missing_letters = IgnoredWarnings(UserWarning, message="Glyph .* missing from font")
_AGAINST, _FOR = np.array([31, 84, 190]), np.array([214, 60, 30])


def pixels_of(image: Any, size: tuple[int, int], resize: str = "pad") -> Pixels:
    """Read an image or convert its pixels, and resize it, as uint8 RGB."""
    try:
        (pixels,) = ReadImages(size=size, resize=resize, reduced_decoding=True).transform([image])
    except RefusedImage:
        # The images of a store may have been deleted.
        pixels = np.full((*size, 1), 128, np.uint8)
    if pixels.shape[:2] != size:  # ReadImages resizes arrays of pixels only
        pixels = resize_image(pixels, size, resize, (255,) * pixels.shape[2])
    if pixels.dtype != np.uint8:
        whole = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
        pixels = np.clip(np.rint(pixels / whole * 255), 0, 255).astype(np.uint8)
    colored: Pixels = np.ascontiguousarray(np.broadcast_to(pixels, (*size, 3)))
    return colored


def jpeg(pixels: Pixels) -> str:
    """Encode a picture as a JPEG data URI."""
    content = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=_QUALITY, colorspace="RGB"
    )
    return "data:image/jpeg;base64," + base64.b64encode(content).decode()


def png(pixels: Pixels) -> str:
    """Encode a drawing with few colors as a PNG data URI."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def figure_png(figure: Any, resolution: int = 100) -> bytes:
    """Encode a matplotlib figure as PNG."""
    file = BytesIO()
    with _missing_letters:
        figure.savefig(file, format="png", dpi=resolution)
    return file.getvalue()


def overlaid(pixels: Pixels, heat: NDArray[Any], largest: float) -> Pixels:
    """Overlay a heat map: red for positive, blue for negative values, saturated at ``largest``."""
    height, width = pixels.shape[:2]
    heat = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)
    strength = np.clip(np.abs(heat) / largest, 0, 1)[..., np.newaxis] * 0.75
    color = np.where(heat[..., np.newaxis] > 0, _FOR, _AGAINST)
    gray = pixels.mean(axis=2, keepdims=True)
    mixed: Pixels = np.rint(gray * (1 - strength) + color * strength).astype(np.uint8)
    return mixed


def confusion_picture(confusion: NDArray[np.int64], cell: int = 3) -> Pixels:
    """Draw a large confusion matrix, shaded by the share of each row."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shade = 1 - np.sqrt(shares)[..., np.newaxis] * (1 - np.array([13, 44, 77]) / 255)
    drawn = np.rint(255 * shade).astype(np.uint8)
    return np.repeat(np.repeat(drawn, cell, axis=0), cell, axis=1)


def mosaic(
    images: Sequence[Pixels], places: NDArray[Any], colors: NDArray[np.int64], side: int = 760
) -> Pixels:
    """Draw pictures at positions in the unit square, framed in the colors of their classes."""
    canvas = np.full((side, side, 3), 250, np.uint8)
    size = images[0].shape[0] + 4
    corners = np.rint(places * (side - size)).astype(int)
    for picture, (x, y), color in zip(images, corners.tolist(), colors, strict=True):
        canvas[y : y + size, x : x + size] = CLASS_COLORS[color % len(CLASS_COLORS)]
        canvas[y + 2 : y + size - 2, x + 2 : x + size - 2] = picture
    return canvas


class Album:
    """Cache of the thumbnails of a comparison's images.

    Parameters
    ----------
    images : sequence
        Paths or arrays.
    """

    def __init__(self, images: Sequence[Any]) -> None:
        self._images = images
        self.pixels = lru_cache(maxsize=4096)(self._pixels)
        self.thumbnail = lru_cache(maxsize=4096)(self._thumbnail)

    def _pixels(self, place: int, size: tuple[int, int], resize: str) -> Pixels:
        return pixels_of(self._images[place], size, resize)

    def _thumbnail(self, place: int) -> str:
        return jpeg(self.pixels(place, THUMBNAIL, "pad"))
