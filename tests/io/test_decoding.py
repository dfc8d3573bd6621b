import base64
import os
import struct
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from featx.core.errors import RefusedImage
from featx.io.decoding import read_image
from featx.io.files import REASONS

HEIGHT, WIDTH = 47, 61
KNOWN = "Supported formats: JPEG, PNG, GIF, TIFF, BMP, WebP and PPM/PGM/PBM."
NOT_AN_IMAGE = f"unknown image format. {KNOWN}"
ARITHMETIC_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIx"
    "wcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/yQALCAAIAAgBAREA/8wABgAQEAX/2gAIAQEAAD8A3RHqQFxJwx7g/9k="
)
TWELVE_BIT_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYG"
    "CAsICQoKCgoKBggLDAsKDAkKCgr/wQALDAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABv/EACQQAAECAQ0AAAAA"
    "AAAAAAAAAAIBEQMABAYICgsOEhQxMkGB/9oACAEBAAA/AAN2xYbJyMqAKdguzkemRIMWrmru4twme/vcv//Z"
)


def smooth(seed=0, height=HEIGHT, width=WIDTH):
    """Draw a smooth color image with some noise, suitable for JPEG."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (6, 8, 3)).astype(np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(fine + rng.integers(-3, 4, fine.shape), 0, 255).astype(np.uint8)


RGB = smooth()
IMAGE = Image.fromarray(RGB)
GRAY = IMAGE.convert("L")
PALETTE = IMAGE.quantize(64)
BITS = IMAGE.convert("1")
DEEP = RGB[..., 0].astype(np.uint16) * 250 + 7
ALPHA = RGB[..., 2]


def encode(image, kind, **options):
    content = BytesIO()
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    image.save(content, kind, **options)
    return content.getvalue()


def rgba():
    return Image.fromarray(np.dstack([RGB, ALPHA]))


def luma(rgb):
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def pnm(magic, values, *header):
    return magic + b"\n" + b" ".join(str(n).encode() for n in header) + b"\n" + values


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, *chunks, packed=None, interlaced=0):
    """Encode a PNG file; ``rows`` are unfiltered bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    data = zlib.compress(b"".join(b"\0" + row for row in rows)) if packed is None else packed
    body = chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", data)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def gif(codes, trailer=b";"):
    """Encode a GIF file of 4 x 4 pixels, with LZW codes of three bits."""
    bits = sum(code << 3 * place for place, code in enumerate(codes))
    data = bits.to_bytes(len(codes) * 3 // 8 + 1, "little")
    screen = struct.pack("<HHBBB", 4, 4, 0x81, 0, 0) + bytes([0, 0, 0, *[9, 8, 7] * 3])
    frame = b"," + struct.pack("<HHHHB", 0, 0, 4, 4, 0)
    return b"GIF89a" + screen + frame + bytes([2, len(data)]) + data + b"\0" + trailer


def split_tiff(content):
    """Return the offset of each tag's value in a little-endian TIFF file."""
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    places = range(start + 2, start + 2 + 12 * count, 12)
    return {struct.unpack_from("<H", content, place)[0]: place + 8 for place in places}


def changed(content, place, form, value):
    changed = bytearray(content)
    struct.pack_into(form, changed, place, value)
    return bytes(changed)


@pytest.fixture
def read(tmp_path):
    """Write bytes to a file and read it as an image."""

    def read(content, *arguments, **options):
        path = tmp_path / "file"
        path.write_bytes(content)
        return read_image(path, *arguments, **options)

    return read


@pytest.fixture
def refused(tmp_path):
    """Return a function that returns reason and detail for a file of these bytes."""

    def refused(content, **options):
        path = tmp_path / "file"
        path.write_bytes(content)
        with pytest.raises(RefusedImage) as caught:
            read_image(path, **options)
        error = caught.value
        assert error.path == str(path)
        assert str(error) == f"{path}: {error.reason}: {error.detail}"
        assert error.reason in REASONS
        return error.reason, error.detail

    return refused


def stacked(gray):
    return np.repeat(np.asarray(gray)[..., np.newaxis], 3, axis=2)


LOSSLESS = {
    "png": (encode(RGB, "PNG"), RGB),
    "png gray": (encode(GRAY, "PNG"), stacked(GRAY)),
    "png palette": (encode(PALETTE, "PNG"), PALETTE.convert("RGB")),
    "png 4-bit palette": (
        encode(IMAGE.quantize(9), "PNG", bits=4),
        IMAGE.quantize(9).convert("RGB"),
    ),
    "png 1-bit": (encode(BITS, "PNG"), stacked(BITS) * np.uint8(255)),
    "png 16-bit gray": (encode(DEEP, "PNG"), stacked(DEEP)),
    "png interlaced 16-bit color": (
        cv2.imencode(".png", RGB[..., ::-1].astype(np.uint16) * 256 + 255)[1].tobytes(),
        RGB,
    ),
    "gif": (encode(PALETTE, "GIF"), PALETTE.convert("RGB")),
    "gif of two frames": (
        encode(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(180)]),
        PALETTE.convert("RGB"),
    ),
    "tiff": (encode(RGB, "TIFF"), RGB),
    "tiff lzw": (encode(RGB, "TIFF", compression="tiff_lzw"), RGB),
    "tiff deflate": (encode(RGB, "TIFF", compression="tiff_adobe_deflate"), RGB),
    "tiff packbits": (encode(RGB, "TIFF", compression="packbits"), RGB),
    "tiff fax": (encode(BITS, "TIFF", compression="group4"), stacked(BITS) * np.uint8(255)),
    "tiff 16-bit gray": (encode(DEEP, "TIFF"), stacked(DEEP)),
    "tiff float": (
        encode(ALPHA.astype(np.float32) / 255, "TIFF"),
        stacked(ALPHA.astype(np.float32) / 255),
    ),
    "bmp": (encode(RGB, "BMP"), RGB),
    "bmp palette": (encode(PALETTE, "BMP"), PALETTE.convert("RGB")),
    "bmp 1-bit": (encode(BITS, "BMP"), stacked(BITS) * np.uint8(255)),
    "webp": (encode(RGB, "WEBP", lossless=True), RGB),
    "webp of two frames": (
        encode(RGB, "WEBP", lossless=True, save_all=True, append_images=[IMAGE.rotate(180)]),
        RGB,
    ),
    "ppm": (encode(RGB, "PPM"), RGB),
    "pgm": (encode(GRAY, "PPM"), stacked(GRAY)),
    "pbm": (encode(BITS, "PPM"), stacked(BITS) * np.uint8(255)),
    "pgm 16-bit": (pnm(b"P5", DEEP.astype(">u2").tobytes(), WIDTH, HEIGHT, 65535), stacked(DEEP)),
    "ppm text": (
        pnm(b"P3", b" ".join(b"%d" % n for n in RGB.ravel()) + b"\n", WIDTH, HEIGHT, 255),
        RGB,
    ),
    "pbm text": (
        pnm(b"P1", b" ".join(b"%d" % n for n in ALPHA.ravel() & 1) + b"\n", WIDTH, HEIGHT),
        stacked((1 - (ALPHA & 1)) * np.uint8(255)),
    ),
}
JPEG = {
    "jpeg": encode(RGB, "JPEG", quality=92),
    "jpeg progressive": encode(RGB, "JPEG", progressive=True),
    "jpeg gray": encode(GRAY, "JPEG"),
    "jpeg restarts": encode(RGB, "JPEG", restart_marker_blocks=2),
    "jpeg cmyk": encode(IMAGE.convert("CMYK"), "JPEG"),
}
LOSSY = {
    "webp lossy": encode(RGB, "WEBP"),
    "webp alpha": encode(rgba(), "WEBP"),
    "tiff jpeg": encode(RGB, "TIFF", compression="jpeg"),
}
ALL = {name: content for name, (content, _) in LOSSLESS.items()} | JPEG | LOSSY


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_give_the_pixels_that_were_written(read, name):
    content, expected = LOSSLESS[name]
    expected = np.asarray(expected)
    pixels = read(content)
    assert pixels.dtype == expected.dtype
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.flags.c_contiguous
    gray = read(content, "gray")
    assert gray.shape == (*expected.shape[:2], 1)
    if pixels.dtype == np.uint8:
        np.testing.assert_allclose(gray[..., 0], luma(expected), rtol=0, atol=0.5 + 1e-4)
    else:
        np.testing.assert_array_equal(gray[..., 0], expected[..., 0])


@pytest.mark.parametrize("name", JPEG)
def test_jpeg_is_that_of_pillow(read, name):
    with Image.open(BytesIO(JPEG[name])) as image:
        expected = np.asarray(image.convert("RGB")).astype(int)
    pixels = read(JPEG[name])
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=2)
    # The image is also close to the original: channels are not swapped.
    limit = 12 if "gray" not in name else 255
    assert np.abs(pixels.astype(int) - RGB).mean() < limit
    gray = read(JPEG[name], "gray")[..., 0]
    np.testing.assert_allclose(gray, luma(expected), rtol=0, atol=2.5)


def test_grey_of_jpeg_is_the_stored_luma(read):
    with Image.open(BytesIO(JPEG["jpeg"])) as image:
        image.draft("L", None)
        expected = np.asarray(image)
    np.testing.assert_array_equal(read(JPEG["jpeg"], "gray")[..., 0], expected)


@pytest.mark.parametrize("name", LOSSY)
def test_other_lossy_formats_are_those_of_pillow(read, name):
    with Image.open(BytesIO(LOSSY[name])) as image:
        image = image.convert("RGBA")
        over = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    np.testing.assert_array_equal(read(LOSSY[name]), np.asarray(over)[..., :3])


def test_arithmetic_coding(read):
    expected = np.linspace(0, 255, 64).reshape(8, 8)
    np.testing.assert_allclose(read(ARITHMETIC_JPEG, "gray")[..., 0], expected, rtol=0, atol=6)


def test_several_images_in_one_jpeg_file_give_the_first(read):
    phone = encode(RGB, "MPO", save_all=True, append_images=[IMAGE.rotate(180)])
    with Image.open(BytesIO(phone)) as image:
        assert image.n_frames == 2
    np.testing.assert_array_equal(read(phone), simplejpeg.decode_jpeg(phone))
    np.testing.assert_allclose(read(phone).astype(int), RGB, rtol=0, atol=40)


@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_bigtiff_tiles_and_big_endian(read, color):
    for options in ({"bigtiff": True}, {"byteorder": ">"}, {"tile": (16, 16)}):
        for compression in (None, "deflate"):
            content = BytesIO()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tifffile recommends imagecodecs
                tifffile.imwrite(
                    content, RGB, photometric="rgb", compression=compression, **options
                )
            expected = np.asarray(IMAGE if color == "rgb" else GRAY).reshape(HEIGHT, WIDTH, -1)
            np.testing.assert_array_equal(read(content.getvalue(), color), expected)


# Transparency.

BACKGROUND = (10, 200, 90)


def flattened(rgb, alpha, background=BACKGROUND):
    share = np.asarray(alpha, np.float64)[..., np.newaxis] / 255
    return rgb * share + np.asarray(background) * (1 - share)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})],
)
def test_alpha_shows_the_background(read, kind, options):
    expected = flattened(RGB, ALPHA)
    pixels = read(encode(rgba(), kind, **options), background=BACKGROUND)
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1)
    gray = read(encode(rgba(), kind, **options), "gray", BACKGROUND)
    np.testing.assert_allclose(gray[..., 0], luma(expected), rtol=0, atol=1.5)


def test_grey_with_alpha_shows_the_background(read):
    image = Image.merge("LA", [GRAY, Image.fromarray(ALPHA)])
    expected = flattened(stacked(GRAY), ALPHA)
    pixels = read(encode(image, "PNG"), background=BACKGROUND)
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1)
    white = read(encode(image, "PNG"))
    np.testing.assert_allclose(white, flattened(stacked(GRAY), ALPHA, (255,) * 3), rtol=0, atol=1)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_colour_of_the_palette_shows_the_background(read, kind):
    colors = np.asarray(PALETTE.convert("RGB"))
    numbers = np.asarray(PALETTE)
    hidden = int(numbers[5, 5])
    pixels = read(encode(PALETTE, kind, transparency=hidden), background=BACKGROUND)
    expected = np.where((numbers == hidden)[..., np.newaxis], np.uint8(BACKGROUND), colors)
    np.testing.assert_array_equal(pixels, expected)


def test_a_palette_of_half_transparent_colours(read):
    alphas = np.arange(0, 256, 4, np.uint8)
    pixels = read(encode(PALETTE, "PNG", transparency=alphas.tobytes()), background=BACKGROUND)
    expected = flattened(np.asarray(PALETTE.convert("RGB")), alphas[np.asarray(PALETTE)])
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey(read, depth):
    top = 2**depth - 1
    hidden = struct.pack(">H", top)
    # One row: a black and a transparent white pixel.
    packed = {1: b"\x40", 2: b"\x30", 4: b"\x0f", 8: b"\x00\xff", 16: b"\x00\x00\xff\xff"}[depth]
    pixels = read(png(2, 1, depth, 0, [packed], chunk(b"tRNS", hidden)), background=BACKGROUND)
    if depth < 16:
        expected = [[[0, 0, 0], BACKGROUND]]
    else:
        expected = [[[0] * 3, [round(luma(np.array(BACKGROUND))) * 257] * 3]]
        assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour(read, depth):
    colors = [(1, 2, 3), (200, 100, 50)]
    # The upper 8 of 16 bits are read.
    wide = [[value << (depth - 8) | (depth == 16) * 77 for value in color] for color in colors]
    row = b"".join(struct.pack(">3B" if depth == 8 else ">3H", *color) for color in wide)
    content = png(2, 1, depth, 2, [row], chunk(b"tRNS", struct.pack(">3H", *wide[1])))
    np.testing.assert_array_equal(read(content, background=BACKGROUND), [[colors[0], BACKGROUND]])


# Orientation.

TURNED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image, 1),
}


def exif(orientation):
    notes = Image.Exif()
    notes[0x0112] = orientation
    return notes


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("JPEG", {}),
    ],
)
@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_orientation(read, orientation, kind, options, color):
    expected = TURNED[orientation](read(encode(RGB, kind, **options), color))
    pixels = read(encode(RGB, kind, exif=exif(orientation), **options), color)
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_orientation_of_16_bits(read, orientation, kind):
    pixels = read(encode(DEEP, kind, exif=exif(orientation)))
    np.testing.assert_array_equal(pixels, TURNED[orientation](stacked(DEEP)))


def test_orientation_of_a_cmyk_jpeg(read):
    image = IMAGE.convert("CMYK")
    expected = read(encode(image, "JPEG"))
    pixels = read(encode(image, "JPEG", exif=exif(6)))
    np.testing.assert_array_equal(pixels, np.rot90(expected, -1))


@pytest.mark.parametrize("orientation", [0, 9, 77, 65535])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_orientation_that_is_none_is_left_alone(read, orientation, kind):
    expected = read(encode(RGB, kind))
    np.testing.assert_array_equal(read(encode(RGB, kind, exif=exif(orientation))), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "notes", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f"]
)
def test_broken_notes_do_not_make_the_image_wrong(read, kind, notes):
    options = {"lossless": True} if kind == "WEBP" else {}
    expected = read(encode(RGB, kind, **options))
    np.testing.assert_array_equal(read(encode(RGB, kind, exif=notes, **options)), expected)


def test_notes_that_look_like_orientation_elsewhere_are_not_taken(read):
    plain = encode(RGB, "JPEG")
    comment = exif(6).tobytes()
    content = plain[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + plain[2:]
    np.testing.assert_array_equal(read(content), read(plain))


def test_orientation_after_a_huge_colour_profile(read):
    expected = read(encode(RGB, "JPEG"))
    content = encode(RGB, "JPEG", icc_profile=bytes(400_000), exif=exif(8))
    # Pillow writes EXIF before the profile; other programs write it after the profile.
    start = content.index(b"\xff\xe1")
    length = 2 + struct.unpack_from(">H", content, start + 2)[0]
    end = content.index(b"\xff\xdb")
    moved = content[:start] + content[start + length : end] + content[start : start + length]
    np.testing.assert_array_equal(read(moved + content[end:]), np.rot90(expected, 1))


# Reduced decoding.


@pytest.mark.parametrize("turned", [1, 6])
def test_reduced_decoding_is_close_and_never_below_the_size(read, turned):
    image = smooth(1, 400, 320)
    content = encode(image, "JPEG", quality=95, exif=exif(turned))
    whole = read(content)
    reduced = read(content, least=(100, 70))
    height, width = reduced.shape[:2]
    assert height >= 100
    assert width >= 70
    assert height < whole.shape[0]
    expected = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(reduced.astype(int), expected, rtol=0, atol=8)
    unchanged = read(content, least=(400, 400))
    np.testing.assert_array_equal(unchanged, whole)


# Rejected files.


def test_a_path_may_be_text_bytes_or_path(tmp_path):
    path = tmp_path / "ein Bild, 画像 'ß'.jpg"
    path.write_bytes(encode(RGB, "PNG"))  # the format does not depend on the name
    for name in (path, str(path), os.fsencode(path)):
        np.testing.assert_array_equal(read_image(name), RGB)
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    Path(os.fsdecode(odd)).write_bytes(encode(RGB, "PNG"))
    np.testing.assert_array_equal(read_image(odd), RGB)


def refusal(path, **options):
    with pytest.raises(RefusedImage) as caught:
        read_image(path, **options)
    return caught.value.reason, caught.value.detail


def outcome(path, **options):
    """Return "ok" after a check of the pixels, or the reason of the rejection."""
    try:
        pixels = read_image(path, **options)
    except RefusedImage as error:
        return error.reason
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.size > 0
    assert pixels.dtype in (np.uint8, np.uint16, np.float32)
    assert np.isfinite(pixels).all()
    return "ok"


NOT_A_FILE = ("not-a-file", "the path is a folder, pipe, socket or device, not a regular file.")


def test_what_is_no_file(tmp_path):
    assert refusal(tmp_path / "none") == ("missing", "the file does not exist.")
    assert refusal("") == ("missing", "the file does not exist.")
    assert refusal(tmp_path) == NOT_A_FILE
    (tmp_path / "loop").symlink_to("loop")
    assert refusal(tmp_path / "loop") == (
        "unreadable",
        "Too many levels of symbolic links.",
    )
    (tmp_path / "nowhere").symlink_to("none")
    assert refusal(tmp_path / "nowhere") == ("missing", "the file does not exist.")
    (tmp_path / "file").write_bytes(b"x")
    assert refusal(tmp_path / "file" / "image.png") == ("missing", "the file does not exist.")
    # The words differ between versions of Python.
    reason, detail = refusal("a\0b")
    assert reason == "unreadable"
    assert "embedded null" in detail
    assert refusal("x" * 5000) == ("unreadable", "File name too long.")
    assert refusal(os.devnull) == NOT_A_FILE


def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = []
    thread = threading.Thread(target=lambda: found.append(refusal(tmp_path / "pipe")), daemon=True)
    thread.start()
    thread.join(10)
    assert found == [NOT_A_FILE]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read all files")
def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "file").touch(mode=0)
    assert refusal(tmp_path / "file") == ("unreadable", "Permission denied.")


def test_the_error_says_all_in_one_line(tmp_path):
    with pytest.raises(RefusedImage) as caught:
        read_image(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path}/none: missing: the file does not exist."


@pytest.mark.parametrize(
    "content",
    [
        b"just text\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0" * 100,
        b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50),  # JPEG 2000
        b"\0\0\0\x18ftypheic" + bytes(50),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(50),
        b"P7\nWIDTH 2\n",
        b"%PDF-1.7",
        b"P",
        b"\x89PNG",
    ],
)
def test_what_is_no_image(refused, content):
    assert refused(content) == ("not-an-image", NOT_AN_IMAGE)


def test_nothing_at_all(refused):
    assert refused(b"") == ("empty", "the file has no bytes.")


def test_a_large_file_that_is_no_image_is_not_read_whole(tmp_path):
    film = tmp_path / "film.mp4"
    with film.open("wb") as file:
        file.truncate(1 << 42)  # a sparse file of 4 TB
    assert refusal(film) == ("not-an-image", NOT_AN_IMAGE)


@pytest.mark.parametrize("name", ALL)
def test_every_cut_is_refused(refused, name):
    content = ALL[name]
    # Bytes after the image: padding, or a final line break.
    trailing = {"bmp": 1, "bmp palette": 3, "ppm text": 3, "pbm text": 1}.get(name, 0)
    last = len(content) - 1 - trailing
    for cut in {*np.linspace(0.05, 0.99, 24), 1.0}:
        reason, _ = refused(content[: int(cut * last)])
        assert reason in ("truncated", "corrupt")
        if int(cut * last) > 40:
            assert reason == "truncated"


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("png")])
def test_every_changed_byte_of_a_png_file_is_refused(refused, name):
    content = ALL[name]
    rng = np.random.default_rng(0)
    for place in {*range(60), *rng.integers(0, len(content), 100)}:
        changed = bytearray(content)
        changed[place] ^= 1 << rng.integers(8)
        reason, _ = refused(bytes(changed))
        assert reason in ("corrupt", "truncated", "not-an-image", "unsupported", "too-large")


@settings(max_examples=300)
@given(st.sampled_from(sorted(ALL)), st.data())
def test_damage_gives_an_image_or_a_reason(tmp_path_factory, name, data):
    content = bytearray(ALL[name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    assert outcome(path, max_pixels=100_000) in ("ok", *REASONS)


@pytest.mark.parametrize("name", ["jpeg", "jpeg gray", "jpeg restarts", "jpeg cmyk"])
def test_what_the_jpeg_decoder_warns_about_is_refused(refused, name):
    content = JPEG[name]
    middle = (content.rindex(b"\xff\xda") + len(content)) // 2
    ends = "the JPEG file cannot be decoded (Corrupt JPEG data: premature end of data segment)."
    assert refused(content[:middle] + b"\xff\xd9") == ("truncated", ends)
    reason, detail = refused(content[:-2] + bytes(range(1, 99)) + b"\xff\xd9")
    assert reason == "corrupt"
    assert detail.startswith("the JPEG file cannot be decoded (Corrupt JPEG data: 9")
    assert detail.endswith(" extraneous bytes before marker 0xd9).")


def test_a_jpeg_without_its_end(refused):
    expected = "the JPEG file cannot be decoded (Premature end of JPEG file)."
    assert refused(JPEG["jpeg"][:-2]) == ("truncated", expected)


@pytest.mark.parametrize("name", ["jpeg", "jpeg cmyk", "png", "gif", "bmp", "webp", "ppm", "tiff"])
def test_what_follows_an_image_does_not_matter(read, name):
    np.testing.assert_array_equal(read(ALL[name] + b"garbage\xff\xd8" * 99), read(ALL[name]))


ROWS = [bytes([10 + row] * 40) for row in range(40)]
FILTERED = b"".join(b"\0" + row for row in ROWS)
PNG_ENDS = ("truncated", "the PNG file ends before its image is complete.")
SENSELESS = ("corrupt", "the PNG file cannot be decoded (invalid header).")


def test_png_written_by_hand(read):
    expected = np.array([list(row) for row in ROWS])
    np.testing.assert_array_equal(read(png(40, 40, 8, 0, ROWS))[..., 1], expected)


def test_png_of_which_rows_are_missing(refused, read):
    for count in (1, 20, 39):
        packed = zlib.compress(FILTERED[: 41 * count])
        assert refused(png(40, 40, 8, 0, [], packed=packed)) == PNG_ENDS
    interlaced = png(40, 40, 8, 0, [], packed=zlib.compress(b"\0" * 900), interlaced=1)
    assert refused(interlaced)[0] in ("truncated", "corrupt")
    # If the height is odd, the last pass does not include the last row.
    rows = [5] * 5 + [5] * 5 + [10] * 5 + [10] * 10 + [20] * 10 + [20] * 20
    packed = zlib.compress(b"".join(b"\0" + b"\xff" * row for row in rows))
    assert refused(png(40, 39, 8, 0, [], packed=packed, interlaced=1)) == PNG_ENDS
    black = np.zeros((40, 40, 3))
    np.testing.assert_array_equal(read(png(40, 40, 8, 0, [bytes(40)] * 40)), black)
    # The seven passes: 25 + 25 + 50 + 100 + 200 + 400 + 800 pixels.
    rows = [5] * 5 + [5] * 5 + [10] * 5 + [10] * 10 + [20] * 10 + [20] * 20 + [40] * 20
    packed = zlib.compress(b"".join(bytes(1 + row) for row in rows))
    np.testing.assert_array_equal(read(png(40, 40, 8, 0, [], packed=packed, interlaced=1)), black)


def test_png_of_broken_data(refused):
    packed = zlib.compress(FILTERED)
    broken = packed[:-1] + bytes([packed[-1] ^ 1])
    assert refused(png(40, 40, 8, 0, [], packed=broken)) == (
        "corrupt",
        "the PNG file cannot be decoded (broken data stream when reading image file).",
    )
    assert refused(png(40, 40, 8, 0, [], packed=packed[: len(packed) // 2]))[0] == "truncated"
    assert refused(png(40, 40, 8, 0, [], packed=b""))[0] == "truncated"
    unknown_filter = zlib.compress(b"\x07" + FILTERED[1:])
    assert refused(png(40, 40, 8, 0, [], packed=unknown_filter))[0] == "corrupt"


def test_png_of_broken_structure(refused):
    whole = png(40, 40, 8, 0, ROWS)
    checksum = changed(whole, len(whole) - 4, ">I", 0)
    assert refused(checksum) == ("corrupt", "wrong checksum of the 'IEND' chunk.")
    assert refused(whole[:-12]) == PNG_ENDS
    first = whole[:8] + chunk(b"tEXt", b"Title\0A title") + whole[8:]
    assert refused(first) == ("corrupt", "the first chunk is not the header, 'IHDR'.")
    assert refused(png(40, 40, 8, 3, ROWS)) == (
        "corrupt",
        "the palette, chunk 'PLTE', is missing.",
    )
    assert refused(png(40, 40, 8, 0, ROWS, chunk(b"ABCD", b"?"))) == (
        "unsupported",
        "unknown critical chunk 'ABCD'.",
    )
    for width, height, depth, color in [
        (0, 40, 8, 0),
        (40, 0, 8, 0),
        (40, 40, 3, 0),
        (40, 40, 8, 1),
    ]:
        assert refused(png(width, height, depth, color, ROWS)) == SENSELESS


def test_gif_of_which_pixels_are_missing(read, refused):
    clear, end = 4, 5
    pixel = [clear, 1]
    np.testing.assert_array_equal(read(gif(pixel * 16 + [end])), np.full((4, 4, 3), [9, 8, 7]))
    for codes in (pixel * 8 + [end], pixel * 8, [clear, end]):
        assert refused(gif(codes))[0] == "truncated"
    assert refused(gif(pixel * 16 + [end], trailer=b"")) == (
        "truncated",
        "the GIF file ends before its image is complete.",
    )


TIFF_ENDS = ("truncated", "the TIFF file ends before its image is complete.")


def test_tiff_that_points_elsewhere(refused):
    content = ALL["tiff"]
    tags = split_tiff(content)
    for far in (len(content) - 10, len(content), 10**9, 2**32 - 1):
        assert refused(changed(content, tags[273], "<I", far)) == TIFF_ENDS
        assert refused(changed(content, tags[279], "<I", far)) == TIFF_ENDS
        if far != len(content) - 10:
            assert refused(changed(content, 4, "<I", far)) == TIFF_ENDS
    assert refused(changed(content, tags[273], "<I", 0)) == (
        "corrupt",
        "the offset of the pixels points into the header.",
    )
    assert refused(changed(content, tags[259], "<I", 9999)) == (
        "unsupported",
        "unsupported TIFF compression 9999.",
    )


@pytest.mark.parametrize("compression", ["group4", "tiff_ccitt", "tiff_lzw", "tiff_deflate"])
def test_what_libtiff_notices_is_refused_and_nothing_is_printed(refused, capfd, compression):
    image = BITS if compression in ("group4", "tiff_ccitt") else IMAGE
    content = encode(image, "TIFF", compression=compression)
    tags = split_tiff(content)
    (start,) = struct.unpack_from("<I", content, tags[273])
    (length,) = struct.unpack_from("<I", content, tags[279])
    damaged = bytearray(content)
    if compression == "tiff_deflate":
        damaged[start + length - 1] ^= 1  # its checksum
    else:
        damaged[start + 300 : start + 400] = np.random.default_rng(0).bytes(100)
    reason, detail = refused(bytes(damaged))
    assert reason == "corrupt"
    assert detail.startswith("the TIFF file cannot be decoded (")
    assert capfd.readouterr() == ("", "")


def test_kinds_that_are_not_supported(refused):
    assert refused(TWELVE_BIT_JPEG) == (
        "unsupported",
        "unsupported variant of JPEG (Unsupported JPEG data precision 12).",
    )
    deep = "pixel values outside [0, 65535]. Save the image with 8 or 16 bits."
    for values in ([[0, 65536]], [[-1, 5]]):
        assert refused(encode(np.int32(values), "TIFF")) == ("unsupported", deep)
    scale = "pixel values outside [0, 1]. Scale them to [0, 1]."
    for values in ([[0, 1.01]], [[-0.01, 1]], [[0, np.nan]], [[0, np.inf]]):
        assert refused(encode(np.float32(values), "TIFF")) == ("unsupported", scale)
    lab = "unsupported color space LAB. Save the image as RGB."
    assert refused(encode(Image.new("LAB", (4, 4)), "TIFF")) == ("unsupported", lab)
    content = BytesIO()
    tifffile.imwrite(content, np.zeros((5, 5, 3), np.float32), photometric="rgb")
    assert refused(content.getvalue()) == (
        "unsupported",
        "unsupported variant of TIFF (unknown pixel mode).",
    )
    bitmap = changed(ALL["bmp"], 28, "<H", 5)
    assert refused(bitmap) == (
        "unsupported",
        "unsupported variant of BMP (Unsupported BMP pixel depth (5)).",
    )


def test_whole_numbers_of_32_bits_that_fit_16_are_read(read):
    values = np.int32([[0, 65535, 300]])
    pixels = read(encode(values, "TIFF"))
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, stacked(values))


def test_wrong_lengths_and_sizes_in_headers(refused):
    assert refused(changed(ALL["webp"], 4, "<I", 10**7)) == (
        "truncated",
        "the WEBP file ends before its image is complete.",
    )
    assert refused(changed(ALL["bmp"], 18, "<i", 9000))[0] == "truncated"
    assert refused(changed(ALL["bmp"], 18, "<i", 0)) == (
        "corrupt",
        "the BMP file cannot be decoded (invalid header).",
    )
    assert refused(changed(ALL["bmp"], 10, "<I", 10**9))[0] == "truncated"
    assert refused(b"P2 2 2 10\n1 2 3 11\n") == (
        "corrupt",
        "the PPM file cannot be decoded (Channel value too large for this mode: 11).",
    )
    assert refused(b"P5 0 2 255\n")[0] == "corrupt"


HUGE = "the image has {0} x {1} = {2} pixels, more than max_pixels=89478485."


def test_too_many_pixels_are_refused_before_they_are_decoded(refused):
    size = 60_000
    total = size * size
    expected = ("too-large", HUGE.format(size, size, total))
    jpeg = JPEG["jpeg"]
    frame = jpeg.index(b"\xff\xc0") + 5
    tags = split_tiff(ALL["tiff"])
    for content in (
        png(size, size, 8, 2, ROWS),
        changed(changed(jpeg, frame, ">H", size), frame + 2, ">H", size),
        changed(changed(ALL["bmp"], 18, "<i", size), 22, "<i", size),
        changed(changed(ALL["gif"], 6, "<H", size), 8, "<H", size),
        changed(changed(ALL["tiff"], tags[256], "<I", size), tags[257], "<I", size),
        pnm(b"P6", b"", size, size, 255),
    ):
        assert refused(content) == expected
    webp = b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(41)
    webp = b"WEBPVP8L" + struct.pack("<I", len(webp)) + webp
    reason, _ = refused(b"RIFF" + struct.pack("<I", len(webp)) + webp)
    assert reason == "too-large"


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "tiff", "bmp", "webp", "ppm", "jpeg cmyk"])
def test_the_limit_of_pixels(read, refused, name):
    assert read(ALL[name], max_pixels=HEIGHT * WIDTH).shape == (HEIGHT, WIDTH, 3)
    assert refused(ALL[name], max_pixels=HEIGHT * WIDTH - 1) == (
        "too-large",
        f"the image has {WIDTH} x {HEIGHT} = {WIDTH * HEIGHT} pixels, more than "
        f"max_pixels={WIDTH * HEIGHT - 1}.",
    )


# Collections of invalid and unusual files.


def test_every_hostile_file_is_read_or_refused(real_data, capfd):
    files = sorted(path for path in (real_data / "hostile").rglob("*") if path.is_file())
    assert len(files) == 374
    found = {}
    for path in files:
        found[path.name] = outcome(path)
    assert set(found.values()) <= {"ok", *REASONS}
    assert capfd.readouterr() == ("", "")
    assert {name: found[name] for name in HOSTILE} == HOSTILE


HOSTILE = {
    "Bad_shortfile.bmp": "truncated",
    "Bad_reallybig.bmp": "too-large",
    "Bad_badbitcount.bmp": "unsupported",
    "pal4rlecut.bmp": "truncated",
    "pal8badindex.bmp": "ok",
    "rgb32bf.bmp": "unsupported",
    "image1.hdr": "not-an-image",
    "smile.ico": "not-an-image",
    "oob.gif": "ok",
    "fax4.tiff": "ok",
    "ycbcr_jpeg_8bit.tif": "ok",
    "rgb32f_color.tiff": "unsupported",
    "cmyk_u8_edge_case.tif": "ok",
    "anim.webp": "ok",
    "oss-fuzz-36829.jpeg": "truncated",
    "xcsn0g01.png": "corrupt",
}


def test_pngsuite(real_data):
    files = sorted((real_data / "hostile" / "pngsuite").glob("*.png"))
    assert len(files) == 176
    for path in files:
        if path.name.startswith("x"):
            assert refusal(path)[0] in ("corrupt", "not-an-image")
            continue
        pixels = read_image(path)
        expected = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if expected.ndim == 2:
            expected = stacked(expected)
        elif expected.shape[2] == 4:
            top = np.iinfo(expected.dtype).max
            white = np.full(3, top)
            over = flattened(expected[..., 2::-1], expected[..., 3] * (255 / top), white)
            expected = np.rint(over).astype(expected.dtype)
        else:
            expected = expected[..., ::-1]
        if pixels.dtype == np.uint8 and expected.dtype == np.uint16:
            expected = (expected >> 8).astype(np.uint8)
        assert pixels.dtype == expected.dtype, path.name
        np.testing.assert_allclose(pixels.astype(int), expected, rtol=0, atol=1, err_msg=path.name)


def test_photographs_are_those_of_pillow(real_data):
    files = sorted((real_data / "stopsigns").rglob("*.jpg"))
    assert len(files) == 48
    for path in files[::8]:
        with Image.open(path) as image:
            expected = np.asarray(image.convert("RGB")).astype(int)
        np.testing.assert_allclose(read_image(path), expected, rtol=0, atol=2)
