import hashlib
import os

import pytest

from featx.core.errors import RefusedImage
from featx.io.files import PASSING, REASONS, ImageFile, read_file


def refusal(path, **limits):
    with pytest.raises(RefusedImage) as error:
        read_file(path, **limits)
    return error.value.reason, error.value.detail


def test_what_is_found(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"some bytes")
    file = ImageFile(str(path))
    assert read_file(file) == b"some bytes"
    status = path.stat()
    assert (file.size, file.modified) == (10, status.st_mtime_ns)
    assert file.sha256 == hashlib.sha256(b"some bytes").hexdigest()
    assert os.fspath(file) == str(path)


def test_only_the_beginning(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(100))
    file = ImageFile(os.fsencode(path))
    assert len(read_file(file, wanted=lambda content: False)) == 32
    assert (file.size, file.sha256) == (100, None)


def test_looking_opens_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "nothing", "", "x\0y"):
        file = ImageFile(str(tmp_path / name), size=1, modified=1)
        file.look()
        assert (file.size, file.modified) == (None, None)
    (tmp_path / "a").write_bytes(b"123")
    file = ImageFile(str(tmp_path / "a"))
    file.look()
    assert (file.size, file.modified) == (3, (tmp_path / "a").stat().st_mtime_ns)


def test_too_many_bytes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(100))
    assert read_file(path, max_bytes=100) == bytes(100)
    assert refusal(path, max_bytes=99) == (
        "too-many-bytes",
        "the file has 100 bytes, more than max_bytes=99.",
    )


def test_a_file_that_grows_while_it_is_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(50_000))

    def grow(beginning):
        """Append to the file after its first bytes were read."""
        with path.open("ab") as file:
            file.write(b"x")
        return True

    with pytest.raises(RefusedImage) as error:
        read_file(path, grow)
    assert error.value.reason == "changed"
    assert error.value.detail == "the file changed while it was read. Run again."


def test_reasons_that_pass_are_reasons():
    assert set(REASONS) > PASSING
