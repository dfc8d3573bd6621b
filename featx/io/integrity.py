"""Integrity checks for image files: damage that decoders do not report."""

import struct
import zlib
from collections.abc import Iterator
from types import MappingProxyType
from typing import NamedTuple

from PIL import TiffImagePlugin

#: A reason from `featx.io.files.REASONS`, and the detail.
Damage = tuple[str, str]
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_PNG_SAMPLES = MappingProxyType({0: 1, 2: 3, 3: 1, 4: 2, 6: 4})
#: First row, first column, row step and column step of the seven passes of interlaced PNG.
_PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


def find(known: str, content: bytes) -> Damage | None:
    """Return the damage of a file that its decoder would not report, or None."""
    checks = {"PNG": _png, "GIF": _gif, "TIFF": _tiff, "WEBP": _webp}
    try:
        return checks[known](content) if known in checks else None
    except (struct.error, IndexError, OverflowError):
        return _early(known)


def _early(known: str) -> Damage:
    return "truncated", f"the {known} file ends before its image is complete."


def _png(content: bytes) -> Damage | None:
    """Verify the checksum of each chunk, and that all critical chunks are known and present."""
    position, kinds = 8, set()
    while True:
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        (expected,) = struct.unpack_from(">I", content, end - 4)
        name = kind.decode("latin-1")
        if zlib.crc32(content[position + 4 : end - 4]) != expected:
            return "corrupt", f"wrong checksum of the {name!r} chunk."
        if not kind[0] & 0x20 and kind not in _CRITICAL:
            return "unsupported", f"unknown critical chunk {name!r}."
        kinds.add(kind)
        if kind == b"IEND":
            break
        position = end
    if content[12:16] != b"IHDR":
        return "corrupt", "the first chunk is not the header, 'IHDR'."
    if content[25] == 3 and b"PLTE" not in kinds:
        return "corrupt", "the palette, chunk 'PLTE', is missing."
    return None


def rows_missing(content: bytes) -> Damage | None:
    """Check a PNG file with intact chunks for missing rows, by decompressing it once more."""
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    wanted = 0
    for top, left, down, across in passes:
        rows, columns = len(range(top, height, down)), len(range(left, width, across))
        if columns:
            wanted += rows * (1 + (columns * _PNG_SAMPLES[color] * depth + 7) // 8)
    inflate, position = zlib.decompressobj(), 8
    while wanted > 0 and position + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        packed = content[position + 8 : position + 8 + length] if kind == b"IDAT" else b""
        while packed and wanted > 0:
            wanted -= len(inflate.decompress(packed, 1 << 20))
            packed = inflate.unconsumed_tail
        position += 12 + length
    return _early("PNG") if wanted > 0 else None


def _gif(content: bytes) -> Damage | None:
    """Check that all blocks are complete, up to the trailer."""
    position = 13 + _palette(content[10])
    while True:
        mark = content[position]
        if mark == 0x3B:
            return None
        if mark == 0x21:
            position += 2
        elif mark == 0x2C:
            position += 11 + _palette(content[position + 9])
        else:
            position += 1
            continue
        while content[position]:
            position += 1 + content[position]
        position += 1


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


#: Size in bytes of each TIFF type, and struct's format characters of the unsigned integers.
_TIFF_TYPES = MappingProxyType(
    {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
)
_TIFF_INTEGERS = MappingProxyType({3: "H", 4: "I", 16: "Q"})
#: Tags of the compression, and of the offsets and byte counts of the strips and tiles.
_COMPRESSION = 259
_STRIP_OFFSETS, _STRIP_LENGTHS = 273, 279
_TILE_OFFSETS, _TILE_LENGTHS = 324, 325
_PIXEL_TAGS = (_COMPRESSION, _STRIP_OFFSETS, _STRIP_LENGTHS, _TILE_OFFSETS, _TILE_LENGTHS)
#: First private tag: private tags do not describe the image.
_TIFF_PRIVATE = 32768


class _TiffEntry(NamedTuple):
    """An entry of a TIFF directory: number of values, and their offset and length in bytes."""

    tag: int
    kind: int
    values: int
    offset: int
    length: int


def _tiff(content: bytes) -> Damage | None:
    """Check that the file contains the first page's directory and pixels completely."""
    order = "<" if content[:1] == b"I" else ">"
    tags: dict[int, tuple[int, ...]] = {}
    for tag, kind, values, offset, length in _tiff_entries(content, order):
        if tag < _TIFF_PRIVATE and offset + length > len(content):
            return _early("TIFF")
        if tag in _PIXEL_TAGS and kind in _TIFF_INTEGERS:
            form = f"{order}{values}{_TIFF_INTEGERS[kind]}"
            tags[tag] = struct.unpack_from(form, content, offset)
    return _tiff_pixels(tags, _tiff_word(content)[1], len(content))


def _tiff_word(content: bytes) -> tuple[str, int]:
    """Return the struct format and the size of an offset: 4 bytes, or 8 in BigTIFF."""
    return ("Q", 8) if b"+" in content[2:4] else ("I", 4)


def _tiff_entries(content: bytes, order: str) -> Iterator[_TiffEntry]:
    """Read the entries of the first page's directory.

    Raises
    ------
    struct.error, OverflowError
        If the directory extends beyond the end of the file.
    """
    word, size = _tiff_word(content)
    (start,) = struct.unpack_from(order + word, content, size)
    counter = struct.Struct(order + ("H" if size == 4 else "Q"))
    (count,) = counter.unpack_from(content, start)
    start += counter.size
    entry = struct.Struct(f"{order}HH{word}")
    step = entry.size + size
    # A directory ends with the offset of the next one.
    struct.unpack_from(order + word, content, start + count * step)
    for place in range(start, start + count * step, step):
        tag, kind, values = entry.unpack_from(content, place)
        length, offset = values * _TIFF_TYPES.get(kind, 1), place + entry.size
        if length > size:  # shorter values are stored in place of their offset
            (offset,) = struct.unpack_from(order + word, content, offset)
        yield _TiffEntry(tag, kind, values, offset, length)


def _tiff_pixels(tags: dict[int, tuple[int, ...]], least: int, size: int) -> Damage | None:
    """Check the compression, and that the pixels are between the header and the file's end."""
    compression = tags.get(_COMPRESSION, (1,))[0]
    if compression not in TiffImagePlugin.COMPRESSION_INFO:
        return "unsupported", f"unsupported TIFF compression {compression}."
    offsets = tags.get(_STRIP_OFFSETS) or tags.get(_TILE_OFFSETS) or ()
    lengths = tags.get(_STRIP_LENGTHS) or tags.get(_TILE_LENGTHS) or ()
    if any(offset < least for offset in offsets):
        return "corrupt", "the offset of the pixels points into the header."
    ends = (offset + length for offset, length in zip(offsets, lengths, strict=False))
    return _early("TIFF") if any(end > size for end in ends) else None


def _webp(content: bytes) -> Damage | None:
    """Check the file's length against the length in its header."""
    (length,) = struct.unpack_from("<I", content, 4)
    return _early("WEBP") if 8 + length > len(content) else None
