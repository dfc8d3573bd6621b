"""Decoding of image files.

Damaged files are rejected, even if a decoder could recover part of the image.
"""

import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from types import MappingProxyType
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from featx.core.errors import RefusedImage
from featx.io import integrity
from featx.io.decoder_messages import decoder_messages
from featx.io.files import MOST_BYTES, REASONS, read_file

Pixels = NDArray[Any]
_Path = str | bytes | os.PathLike[Any]


_RIGHT = "Supported formats: JPEG, PNG, GIF, TIFF, BMP, WebP and PPM/PGM/PBM."


#: Largest number of bytes of decoded images that a thread keeps in `shared_decoding`.
_MOST_KEPT = 2**25


class Decoded:
    """Decoded images of a chunk, and the time saved by using them again."""

    def __init__(self) -> None:
        self.images: dict[Any, tuple[Pixels, float]] = {}
        self.bytes = 0
        self.saved = 0.0

    def take_saved(self) -> float:
        """Return the seconds saved since the last call."""
        saved, self.saved = self.saved, 0.0
        return saved


_thread = threading.local()


@contextmanager
def shared_decoding() -> Iterator[Decoded]:
    """Decode each file once per thread while the block runs.

    Several recipes read the same images at different sizes. Decoding is the largest part of their
    cost. Up to 32 MB of decoded images are kept, and none after the block.
    """
    _thread.decoded = Decoded()
    try:
        yield _thread.decoded
    finally:
        del _thread.decoded


def read_image(
    path: _Path,
    mode: str = "rgb",
    background: Sequence[int] = (255, 255, 255),
    max_pixels: int = 89_478_485,
    max_bytes: int = MOST_BYTES,
    least: tuple[int, int] | None = None,
) -> Pixels:
    """Read one image file; the parameters are those of `ReadImages`.

    ``least`` is the minimum height and width for decoding a JPEG file at a reduced scale.

    Returns
    -------
    ndarray of shape (height, width, 1 or 3)
        Read-only within `shared_decoding`.
    """
    parameters = path, mode, tuple(background), max_pixels, max_bytes, least
    decoded: Decoded | None = getattr(_thread, "decoded", None)
    if decoded is None:
        return _read(*parameters)
    if parameters in decoded.images:
        pixels, seconds = decoded.images[parameters]
        decoded.saved += seconds
        return pixels
    started = time.thread_time()
    pixels = _read(*parameters)
    if decoded.bytes + pixels.nbytes <= _MOST_KEPT:
        pixels.flags.writeable = False
        decoded.images[parameters] = pixels, time.thread_time() - started
        decoded.bytes += pixels.nbytes
    return pixels


def _read(
    path: _Path,
    mode: str,
    background: Sequence[int],
    max_pixels: int,
    max_bytes: int,
    least: tuple[int, int] | None,
) -> Pixels:
    content = read_file(path, _format, max_bytes)
    known = _format(content)
    if known is None:
        raise RefusedImage(path, "not-an-image", f"{REASONS['not-an-image']}. {_RIGHT}")
    found = integrity.find(known, content)
    if found is not None:
        raise RefusedImage(path, *found)
    try:
        if known == "JPEG":
            pixels = _read_jpeg(path, content, mode, max_pixels, least)
            if pixels is not None:
                return pixels
        return _read_with_pillow(path, content, known, mode, background, max_pixels)
    except RefusedImage:
        raise
    # Decoders raise exceptions of any class for damaged files.
    except Exception as error:
        raise _broken(path, known, content, error) from error


_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)


def _format(content: bytes) -> str | None:
    """Detect the format from the first bytes."""
    for signature, name in _SIGNATURES:
        if content.startswith(signature):
            return name
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[:1] == b"P" and content[1:2] in b"123456" and content[2:3].isspace():
        return "PPM"
    return None


def _read_jpeg(
    path: _Path, content: bytes, mode: str, max_pixels: int, least: tuple[int, int] | None
) -> Pixels | None:
    """Decode with libjpeg-turbo; return None for color spaces that require Pillow."""
    height, width, space, _ = simplejpeg.decode_jpeg_header(content)
    _check_size(path, width, height, max_pixels)
    if space in ("CMYK", "YCCK"):
        # Pillow does not report damage: decode once with libjpeg-turbo, which does.
        simplejpeg.decode_jpeg(content, "CMYK")
        return None
    with decoder_messages():
        turned = _orientation(lambda: _jpeg_exif(content))
    if least is not None and turned >= 5:
        least = least[::-1]
    rows, columns = least or (0, 0)
    pixels = simplejpeg.decode_jpeg(
        content,
        colorspace="GRAY" if mode == "gray" else "RGB",
        min_height=min(rows, height),
        min_width=min(columns, width),
        min_factor=1,
    )
    return _turned(pixels, turned)


def _jpeg_exif(content: bytes) -> Image.Exif | None:
    """Return the EXIF data from the segments before the pixels."""
    position = 2
    while content[position] == 0xFF and content[position + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", content, position + 2)
        segment = content[position + 4 : position + 2 + length]
        if content[position + 1] == 0xE1 and segment.startswith(b"Exif\x00\x00"):
            exif = Image.Exif()
            exif.load(segment)
            return exif
        position += 2 + length
    return None


def _orientation(read: Callable[[], Image.Exif | None]) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is missing or invalid."""
    try:
        exif = read()
        orientation = 1 if exif is None else exif.get(0x0112, 1)
    # Damaged metadata does not invalidate the image.
    except Exception:
        return 1
    return int(orientation) if orientation in range(1, 9) else 1


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


_PLUGINS = MappingProxyType[str, Any](
    {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
        "WEBP": WebPImagePlugin.WebPImageFile,
        "PPM": PpmImagePlugin.PpmImageFile,
    }
)


def _read_with_pillow(
    path: _Path,
    content: bytes,
    known: str,
    mode: str,
    background: Sequence[int],
    max_pixels: int,
) -> Pixels:
    # Open by the plugin: Image.open would check sizes against limits of its own, and warn.
    with decoder_messages() as errors, _PLUGINS[known](BytesIO(content)) as opened:
        _check_size(path, opened.width, opened.height, max_pixels)
        opened.load()
        if errors:
            raise OSError(f"libtiff error in {errors[0]}")
        # Pillow applies the orientation of TIFF files when it loads them.
        turned = 1 if known == "TIFF" else _orientation(opened.getexif)
        if known == "PNG":
            if content[28] or not np.asarray(opened)[-1].any():
                # Pillow leaves missing rows at zero, anywhere in the image if it is interlaced.
                found = integrity.rows_missing(content)
                if found is not None:
                    raise RefusedImage(path, *found)
            _rescale_transparency(opened, depth=content[24])
        deep = _deep(path, opened, background)
        if deep is not None:
            pixels = np.repeat(deep[..., np.newaxis], 1 if mode == "gray" else 3, axis=2)
        else:
            image = _opaque(path, opened, background).convert("RGB" if mode == "rgb" else "L")
            pixels = np.array(image).reshape(image.height, image.width, -1)
        return _turned(pixels, turned)


def _rescale_transparency(image: Image.Image, depth: int) -> None:
    """Rescale the transparent color from a PNG file's bit depth to that of Pillow's image."""
    hidden = image.info.get("transparency")
    if image.mode == "L" and isinstance(hidden, int):
        image.info["transparency"] = hidden * 255 // (2**depth - 1)
    elif image.mode == "RGB" and isinstance(hidden, tuple):
        image.info["transparency"] = tuple(value >> (depth - 8) for value in hidden)


def _opaque(path: _Path, image: Image.Image, background: Sequence[int]) -> Image.Image:
    """Composite an 8-bit image over the background, as RGB or gray."""
    if image.mode in ("LAB", "HSV"):
        detail = f"unsupported color space {image.mode}. Save the image as RGB."
        raise RefusedImage(path, "unsupported", detail)
    if image.has_transparency_data:
        over = Image.new("RGBA", image.size, (*background, 255))
        return Image.alpha_composite(over, image.convert("RGBA")).convert("RGB")
    return image if image.mode in ("1", "L") else image.convert("RGB")


def _deep(path: _Path, image: Image.Image, background: Sequence[int]) -> Pixels | None:
    """Return the gray values of an image of more than 8 bits, or None for other images."""
    if image.mode.startswith("I"):
        values = np.array(image)
        if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
            detail = "pixel values outside [0, 65535]. Save the image with 8 or 16 bits."
            raise RefusedImage(path, "unsupported", detail)
        values = values.astype(np.uint16)
        if "transparency" in image.info:
            values[values == image.info["transparency"]] = 257 * luma(background)
        return values
    if image.mode == "F":
        values = np.array(image, np.float32)
        if values.min() >= 0 and values.max() <= 1:
            return values
        detail = "pixel values outside [0, 1]. Scale them to [0, 1]."
        raise RefusedImage(path, "unsupported", detail)
    return None


def luma(color: Any) -> Any:
    """Return the luma of an integer RGB color, rounded as Pillow does."""
    red, green, blue = color
    return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16


def _check_size(path: _Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise RefusedImage(
            path,
            "too-large",
            f"the image has {width} x {height} = {width * height} pixels, more than "
            f"max_pixels={max_pixels}.",
        )


_EARLY = (
    "truncated",
    "premature end",
    "not enough",
    "eof",
    "end of file",
    "requires a buffer",
)


_KINDS = ("unsupported", "not supported", "unknown pixel mode", "could not determine subsampling")


def _broken(path: _Path, known: str, content: bytes, error: Exception) -> RefusedImage:
    """Return the rejection for a decoder's exception."""
    problem = " ".join(str(error).split()) or type(error).__name__
    if problem == "not identified by this driver":
        problem = "invalid header"
    if isinstance(error, Image.DecompressionBombError):
        return RefusedImage(path, "too-large", f"Pillow does not decode the file ({problem}).")
    says = problem.lower()
    detail = f"the {known} file cannot be decoded ({problem})."
    # A complete JPEG file has an end marker after the start marker of its last scan.
    cut = known == "JPEG" and content.rfind(b"\xff\xd9") <= content.rfind(b"\xff\xda")
    if cut or any(word in says for word in _EARLY):
        return RefusedImage(path, "truncated", detail)
    if any(word in says for word in _KINDS):
        detail = f"unsupported variant of {known} ({problem})."
        return RefusedImage(path, "unsupported", detail)
    return RefusedImage(path, "corrupt", detail)
