import ctypes
import logging
import struct
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image, _imaging

from featx.io.decoder_messages import decoder_messages
from featx.io.decoding import read_image

GRAY = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
libtiff = ctypes.CDLL(_imaging.__file__)
HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)


def whole_tiff():
    content = BytesIO()
    Image.fromarray(GRAY).save(content, "TIFF", compression="tiff_deflate")
    return content.getvalue()


def broken_tiff():
    content = bytearray(whole_tiff())
    with tifffile.TiffFile(BytesIO(content)) as opened:
        tags = opened.pages[0].tags
        end = tags[273].value[0] + tags[279].value[0]
    content[end - 1] ^= 1  # corrupts the checksum
    return bytes(content)


put = libtiff.TIFFSetErrorHandler
put.argtypes, put.restype = [ctypes.c_void_p], ctypes.c_void_p


def handler():
    """Return the address of libtiff's current handler."""
    found = put(None)
    put(found)
    return found


def settings():
    return [*warnings.filters], [*logging.getLogger("PIL").handlers], handler()


def test_each_thread_receives_its_own_errors(capfd):
    before = settings()

    def read(content):
        with decoder_messages() as errors, suppress(OSError):
            Image.open(BytesIO(content)).load()
        return errors

    with ThreadPoolExecutor(4) as pool:
        received = [*pool.map(read, [broken_tiff(), whole_tiff()] * 50)]
    assert received == [["ZIPDecode"], []] * 50
    assert capfd.readouterr() == ("", "")
    assert settings() == before


def test_the_host_has_its_handler_in_other_threads_and_afterwards():
    received = []
    own = HANDLER(lambda module, message, values: received.append(module))
    before = put(ctypes.cast(own, ctypes.c_void_p))

    def read():
        with suppress(OSError):
            Image.open(BytesIO(broken_tiff())).load()

    try:
        with decoder_messages() as errors, ThreadPoolExecutor(1) as pool:
            pool.submit(read).result()
            assert (errors, received) == ([], [b"ZIPDecode"])
            read()
            assert (errors, received) == (["ZIPDecode"], [b"ZIPDecode"])
        read()
        assert (errors, received) == (["ZIPDecode"], [b"ZIPDecode"] * 2)
    finally:
        assert put(before) == ctypes.cast(own, ctypes.c_void_p).value


def test_a_handler_that_the_host_sets_meanwhile_stays():
    own = HANDLER(lambda *_: None)
    address = ctypes.cast(own, ctypes.c_void_p).value
    before = handler()
    try:
        with decoder_messages():
            put(address)
    finally:
        assert put(before) == address


#: Orientation 6, and a tag whose value is beyond the end.
EXIF = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00" + b"".join(
    [
        struct.pack("<HHII", 0x0112, 3, 1, 6),
        struct.pack("<HHII", 0x010F, 2, 1000, 5000),
        bytes(4),
    ]
)


@pytest.mark.parametrize("known", ["JPEG", "PNG"])
def test_a_host_that_makes_errors_of_warnings_gets_the_same_pixels(tmp_path, known):
    path = tmp_path / "x"
    Image.fromarray(GRAY[:20]).save(path, known, exif=EXIF)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning), Image.open(path) as opened:
            opened.getexif()
        pixels = read_image(path, "gray")
        assert pixels.shape == (40, 20, 1)
    if known == "PNG":
        np.testing.assert_array_equal(pixels[..., 0], np.rot90(GRAY[:20], -1))


LOGGED = """
import sys
from PIL import Image
from featx.io.decoding import read_image
try:
    read_image(sys.argv[1])
except ValueError as error:
    print(error)
try:
    Image.open(sys.argv[1])
except OSError:
    print("Pillow")
"""


def test_what_pillow_logs_is_printed_only_for_others(tmp_path):
    path = tmp_path / "x.tiff"
    Image.new("RGB", (4, 4)).save(path)
    with tifffile.TiffFile(path) as opened:
        place = opened.pages[0].tags[277].valueoffset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(struct.pack("<H", 5000))
    command = [sys.executable, "-c", LOGGED, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"{path}: corrupt: the TIFF file cannot be decoded (Invalid value for samples per pixel).\n"
        "Pillow\n"
    )
    assert done.stderr == "More samples per pixel than can be decoded: 5000\n"
