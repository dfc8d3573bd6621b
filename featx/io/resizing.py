"""Resizing of images."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]


def resize_image(
    pixels: Pixels, size: tuple[int, int], resize: str, background: tuple[int, ...]
) -> Pixels:
    """Resize an image to (height, width); ``resize`` is the parameter of `ReadImages`."""
    (height, width), (rows, columns) = pixels.shape[:2], size
    if (height, width) == size:
        return pixels
    if resize == "stretch":
        return resample(pixels, size)
    scales = rows / height, columns / width
    scale = max(scales) if resize == "crop" else min(scales)
    if resize == "shrink" and scale >= 1:
        return pixels
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    if resize == "crop":
        inner = max(inner[0], rows), max(inner[1], columns)
    scaled = resample(pixels, inner)
    top, left = abs(inner[0] - rows) // 2, abs(inner[1] - columns) // 2
    if resize == "crop":
        return np.ascontiguousarray(scaled[top : top + rows, left : left + columns])
    if resize == "shrink":
        return scaled
    floating = pixels.dtype.kind == "f"
    whole = 1.0 if floating else np.iinfo(pixels.dtype).max
    filled = np.asarray(background) / 255 * whole
    padded = np.empty((rows, columns, pixels.shape[2]), pixels.dtype)
    padded[:] = filled if floating else np.rint(filled)
    padded[top : top + inner[0], left : left + inner[1]] = scaled
    return padded


# Supported types; the next stage rejects all others.
PIXELS = (np.uint8, np.uint16, np.float32, np.float64)


def resample(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Shrink by area averaging and enlarge by linear interpolation, separately for each axis."""
    (height, width, channels), (rows, columns) = pixels.shape, size
    smaller = min(height, rows), min(width, columns)
    if smaller != (height, width):
        whole = height % smaller[0] == 0 and width % smaller[1] == 0
        if pixels.dtype == np.uint8 and not whole:
            # Faster than OpenCV here. Imported on use only, since it loads numba.
            from featx.io.area_average import shrink

            pixels = shrink(pixels, *smaller)
        else:
            pixels = cv2.resize(pixels, smaller[::-1], interpolation=cv2.INTER_AREA)
    if smaller != size:
        pixels = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return pixels.reshape(rows, columns, channels)
