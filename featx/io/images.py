"""The stage that reads image files."""

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
    """Read image files as pixels.

    Parameters
    ----------
    size : (int, int), optional
        Height and width of the output; by default images are not resized.
    mode : {"rgb", "gray"}, default="rgb"
        Three channels in this order, or one: 0.299 R + 0.587 G + 0.114 B, rounded.
    resize : {"stretch", "crop", "pad", "shrink"}, default="stretch"
        How to resize an image to ``size``:

        - ``"stretch"``: change the aspect ratio;
        - ``"crop"``: scale the image to cover ``size``, and crop both sides;
        - ``"pad"``: scale the image to fit into ``size``, and pad both sides with the background;
        - ``"shrink"``: scale a larger image to fit into ``size``, and keep smaller images
          unchanged, so that output sizes differ.
    background : (int, int, int), default=(255, 255, 255)
        RGB color in [0, 255] of transparent regions and padding.
    max_pixels : int, default=89478485
        Maximum number of pixels. Larger images are rejected by their headers, without decoding.
    max_bytes : int, default=1073741824
        Maximum size of a file. Larger files are rejected without reading.
    reduced_decoding : bool, default=False
        Decode JPEG files that are much larger than ``size`` at 1/2, 1/4 or 1/8 of their scale.
        This is faster and changes features slightly.

    Raises
    ------
    RefusedImage
        If a file is rejected; `featx.io.files.REASONS` lists the reasons.

    Notes
    -----
    The input is a list of paths (str, bytes or `pathlib.Path`) or of arrays (height, width, c).
    Arrays are resized to ``size``; with ``mode="gray"``, arrays of three channels are converted to
    gray. A recipe thus returns the same features for a file and for its pixels. Otherwise, arrays
    are unchanged.

    The output is uint8, uint16 for gray files of 16 bits, or float32 for floating point files in
    [0, 1]. Color files of 16 bits are converted to 8 bits.

    The format is detected from the content, not from the file name: JPEG, PNG, GIF (first frame),
    TIFF (first page), BMP, WebP, PPM, PGM and PBM. EXIF orientation is applied; color profiles are
    ignored. The gray values of a JPEG file are the luma that it stores; they differ from the luma
    of its decoded colors where these are clipped to [0, 255].

    Images are shrunk by area averaging and enlarged by linear interpolation.

    Examples
    --------
    >>> from featx import ReadImages
    >>> ReadImages(size=(128, 128), mode="gray").transform(["no-such-file.jpg"])
    Traceback (most recent call last):
    featx.core.errors.RefusedImage: no-such-file.jpg: missing: the file does not exist.
    """

    takes = "paths"
    gives = "pixels"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "size": [pair_to(2**16), None],
        "mode": [StrOptions({"rgb", "gray"})],
        "resize": [StrOptions({"stretch", "crop", "pad", "shrink"})],
        "background": [Each(Interval(Integral, 0, 255, closed="both"), length=3)],
        "max_pixels": [natural_to(2**30)],  # OpenCV's maximum
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
    """Convert an array as if its pixels had been read from a file."""
    if mode != "gray" or image.shape[2:] != (3,) or image.dtype not in PIXELS:
        return image
    if image.dtype.kind == "f":
        return np.asarray(image @ np.array([[0.299], [0.587], [0.114]], image.dtype))
    gray = luma(np.moveaxis(image.astype(np.int64), 2, 0))
    return np.asarray(gray, image.dtype)[..., np.newaxis]
