"""Image files as pixels: the stage that reads them."""

import os
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import Each, Interval, StrOptions, natural_to, pair_to
from featx.core.errors import InputError
from featx.core.stage import ImageStage, Requirements
from featx.io.decoding import luma, read_image
from featx.io.files import MOST_BYTES
from featx.io.resizing import PIXELS, resize_image

Pixels = NDArray[Any]
_Path = str | bytes | os.PathLike[Any]


class ReadImages(ImageStage):
    """Image files as pixels.

    Parameters
    ----------
    size : (int, int), optional
        Height and width; by default each image keeps its own.
    mode : {"rgb", "gray"}, default="rgb"
        Three channels in this order, or one: 0.299 R + 0.587 G + 0.114 B, rounded.
    resize : {"stretch", "crop", "pad", "shrink"}, default="stretch"
        How an image is resized to ``size``. ``"stretch"`` changes its aspect ratio; ``"crop"``
        covers the size and cuts both sides; ``"pad"`` fits inside and fills both sides with the
        background; ``"shrink"`` makes a larger image fit inside and leaves others as they are,
        so that sizes differ.
    background : (int, int, int), default=(255, 255, 255)
        The colour in [0, 255] that transparent parts and padding show.
    max_pixels : int, default=89478485
        Images of more pixels are refused, by their headers, before they are decoded.
    max_bytes : int, default=1073741824
        Files of more bytes are refused, before they are read.
    reduced_decoding : bool, default=False
        Decode JPEG files that are much larger than ``size`` at a half, a quarter or an eighth.
        This is faster and changes features slightly.

    Raises
    ------
    RefusedImage
        If a file cannot be read whole; `featx.io.files.REASONS` lists the reasons.

    Notes
    -----
    Takes paths (str, bytes or `pathlib.Path`), or images as arrays (height, width, c), which are
    brought to ``size`` and, from three channels, to grey, so that a recipe gives the same for the
    pixels of a file as for the file; otherwise they are unchanged. Gives uint8, or
    uint16 for grey files of 16 bits and float32 for files of floating point in [0, 1]; colour of
    16 bits is read with 8. Formats are told by content, not by name: JPEG, PNG, GIF (first
    frame), TIFF (first page), BMP, WebP, PPM, PGM and PBM. EXIF orientation is applied; colour
    profiles are not. The grey of a JPEG file is the luma that it stores, which differs from that
    of its colours by what they are clipped to [0, 255]. Shrinking averages over areas, enlarging
    interpolates linearly.

    Examples
    --------
    >>> from featx import ReadImages
    >>> ReadImages(size=(128, 128), mode="gray").transform(["no-such-file.jpg"])
    Traceback (most recent call last):
    featx.core.errors.RefusedImage: no-such-file.jpg: missing: there is no such file.
    """

    takes = "paths"
    gives = "pixels"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "size": [pair_to(2**16), None],
        "mode": [StrOptions({"rgb", "gray"})],
        "resize": [StrOptions({"stretch", "crop", "pad", "shrink"})],
        "background": [Each(Interval(Integral, 0, 255, closed="both"), length=3)],
        "max_pixels": [natural_to(2**30)],  # the most that OpenCV reads
        "max_bytes": [natural_to(2**32)],
        "reduced_decoding": ["boolean"],
    }

    def __init__(
        self,
        size: Sequence[int] | None = None,
        mode: str = "rgb",
        resize: str = "stretch",
        background: Sequence[int] = (255, 255, 255),
        max_pixels: int = 89_478_485,
        max_bytes: int = MOST_BYTES,
        reduced_decoding: bool = False,
    ) -> None:
        self.size = size
        self.mode = mode
        self.resize = resize
        self.background = background
        self.max_pixels = max_pixels
        self.max_bytes = max_bytes
        self.reduced_decoding = reduced_decoding

    def _requirements(self) -> Requirements:
        if self.size is not None and self.size[0] * self.size[1] > self.max_pixels:
            raise InputError(
                f"ReadImages: size={list(self.size)} has more pixels than "
                f"max_pixels={self.max_pixels}."
            )
        return Requirements()

    def _transform_one(self, image: Any) -> Pixels:
        if isinstance(image, np.ndarray):
            pixels = _as_read(image, self.mode)
        else:
            least = (self.size[0], self.size[1]) if self.size and self.reduced_decoding else None
            limits = self.max_pixels, self.max_bytes
            pixels = read_image(image, self.mode, tuple(self.background), *limits, least)
        if self.size is None or pixels.dtype not in PIXELS:
            return pixels
        pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
        background = tuple(self.background)
        if pixels.shape[2] != 3:
            background = (luma(background),) * pixels.shape[2]
        return resize_image(pixels, (self.size[0], self.size[1]), self.resize, background)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return ["gray"] if self.mode == "gray" else ["red", "green", "blue"]


def _as_read(image: Pixels, mode: str) -> Pixels:
    """Give an array as a file of its pixels would have been read."""
    if mode != "gray" or image.shape[2:] != (3,) or image.dtype not in PIXELS:
        return image
    if image.dtype.kind == "f":
        return np.asarray(image @ np.array([[0.299], [0.587], [0.114]], image.dtype))
    gray = luma(np.moveaxis(image.astype(np.int64), 2, 0))
    return np.asarray(gray, image.dtype)[..., np.newaxis]
