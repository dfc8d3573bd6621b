"""Tests of single integrity checks, beyond those on whole files in `test_decoding.py`."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from featx.io.integrity import find, rows_missing

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# The pass of each pixel, as in the PNG standard.
ADAM7 = np.array(
    [
        [1, 6, 4, 6, 2, 6, 4, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [5, 6, 5, 6, 5, 6, 5, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [3, 6, 4, 6, 3, 6, 4, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
        [5, 6, 5, 6, 5, 6, 5, 6],
        [7, 7, 7, 7, 7, 7, 7, 7],
    ]
)


def ends(known):
    return "truncated", f"the {known} file ends before its image is complete."


@pytest.mark.parametrize("known", ["JPEG", "BMP", "PPM"])
def test_formats_whose_decoders_say_everything(known):
    assert find(known, b"anything") is None


@pytest.mark.parametrize("known", ["PNG", "GIF", "TIFF", "WEBP"])
@pytest.mark.parametrize("content", [b"", b"RIFF", b"GIF89a\1\0\1\0", b"II*\0\x08\0\0"])
def test_files_that_end_at_once(known, content):
    assert find(known, content) == ends(known)


# PNG.


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(header, *data):
    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", *header)), *(chunk(b"IDAT", d) for d in data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def length(width, height, bits, interlaced):
    """Return the number of bytes of all rows, including their filter bytes."""
    passes = np.ones((height, width), int)
    if interlaced:
        passes = np.tile(ADAM7, (height // 8 + 1, width // 8 + 1))[:height, :width]
    total = 0
    for number in range(1, 8):
        for pixels in (passes == number).sum(axis=1):
            total += 1 + -(-int(pixels) * bits // 8) if pixels else 0
    return total


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize("color", SAMPLES)
def test_rows_of_png_are_counted(color, interlaced):
    for depth in DEPTHS[color]:
        for width, height in [(1, 1), (2, 1), (1, 7), (5, 3), (8, 8), (9, 17), (31, 20)]:
            header = (width, height, depth, color, 0, 0, interlaced)
            count = length(width, height, depth * SAMPLES[color], interlaced)
            for missing in (0, 1, count):
                packed = zlib.compress(bytes(count - missing))
                found = rows_missing(png(header, packed))
                assert found == (ends("PNG") if missing else None)


def test_rows_of_png_in_many_chunks():
    header = (300, 2000, 8, 2, 0, 0, 0)
    rows = bytes(length(300, 2000, 24, 0))
    # Noise in a part of the rows, so that more than 1 MB is decompressed in steps.
    rows = np.random.default_rng(0).bytes(1_500_000) + rows[1_500_000:]
    packed = zlib.compress(rows)
    pieces = [packed[start : start + 8192] for start in range(0, len(packed), 8192)]
    assert rows_missing(png(header, *pieces)) is None
    assert rows_missing(png(header, b"", *pieces, b"")) is None
    assert rows_missing(png(header, *pieces[:100])) == ends("PNG")
    assert rows_missing(png(header)) == ends("PNG")


# GIF.

SCREEN = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x81, 0, 0) + bytes(12)
NO_PALETTE = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x01, 0, 0)
BLOCKS = b"\3abc\2,;\0"  # data that contains marker bytes
COMMENT = b"!\xfe" + BLOCKS
FRAME = b"," + struct.pack("<HHHHB", 0, 0, 4, 4, 0) + b"\2" + BLOCKS
FRAME_WITH_PALETTE = b"," + struct.pack("<HHHHB", 0, 0, 4, 4, 0x82) + b";" * 24 + b"\2" + BLOCKS


@pytest.mark.parametrize("screen", [SCREEN, NO_PALETTE])
@pytest.mark.parametrize(
    "body", [FRAME, COMMENT + FRAME, FRAME_WITH_PALETTE + COMMENT + FRAME, b"\0\0" + FRAME + b"\0"]
)
def test_gif_needs_all_its_blocks(screen, body):
    content = screen + body + b";"
    assert find("GIF", content) is None
    assert find("GIF", content + b"what follows") is None
    for cut in range(len(screen), len(content)):
        assert find("GIF", content[:cut]) == ends("GIF")


# TIFF.


def tiff(**options):
    """Encode a TIFF file; return it with the offset of each tag's value."""
    content = BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
    tifffile.imwrite(content, values, photometric="minisblack", metadata=None, **options)
    with tifffile.TiffFile(BytesIO(content.getvalue())) as opened:
        tags = {tag.code: tag.valueoffset for tag in opened.pages[0].tags}
    return content.getvalue(), tags


KINDS = [
    {"byteorder": order, "bigtiff": big, **pieces}
    for order in "<>"
    for big in (False, True)
    for pieces in ({}, {"rowsperstrip": 5}, {"tile": (16, 32)})
]


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_tiff_of_either_order_and_size(options):
    content, tags = tiff(**options)
    assert find("TIFF", content) is None
    assert find("TIFF", content + b"what follows") is None
    word = options["byteorder"] + ("Q" if options["bigtiff"] else "I")
    offsets = 324 if "tile" in options else 273
    for far in (len(content), 2**31):
        changed = bytearray(content)
        struct.pack_into(word, changed, tags[offsets], far)
        assert find("TIFF", bytes(changed)) == ends("TIFF")
    struct.pack_into(word, changed, tags[offsets], 1)
    wrong = ("corrupt", "the offset of the pixels points into the header.")
    assert find("TIFF", bytes(changed)) == wrong
    # The pixels are at the end of the file.
    assert find("TIFF", content[:-1]) == ends("TIFF")


def test_notes_of_programs_may_point_anywhere():
    notes = [(65000, "s", 1000, b"a" * 1000, True)]
    content, _ = tiff(extratags=notes)
    changed = bytearray(content)
    (entry,) = struct.unpack_from("<I", changed, 4)
    (count,) = struct.unpack_from("<H", changed, entry)
    (place,) = (
        place
        for place in range(entry + 2, entry + 2 + 12 * count, 12)
        if struct.unpack_from("<H", changed, place) == (65000,)
    )
    struct.pack_into("<I", changed, place + 8, 10**9)
    assert find("TIFF", bytes(changed)) is None
    # Tags below 32768 are not private, and are checked.
    struct.pack_into("<H", changed, place, 32767)
    assert find("TIFF", bytes(changed)) == ends("TIFF")


def test_compression_that_nothing_reads():
    content, tags = tiff()
    changed = bytearray(content)
    struct.pack_into("<H", changed, tags[259], 60000)
    assert find("TIFF", bytes(changed)) == (
        "unsupported",
        "unsupported TIFF compression 60000.",
    )


# WebP.


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_says_its_length(lossless):
    content = BytesIO()
    Image.new("RGB", (20, 10), "red").save(content, "WEBP", lossless=lossless)
    whole = content.getvalue()
    assert find("WEBP", whole) is None
    assert find("WEBP", whole + b"what follows") is None
    for cut in range(8, len(whole)):
        assert find("WEBP", whole[:cut]) == ends("WEBP")
