import gzip
import io
import os
import tarfile
import zipfile

import pytest

from featx.core.errors import RefusedImage
from featx.datasets.listing import iterate_images
from featx.io import archives
from featx.io.files import read_file

OUTSIDE = ("outside", "the member's path leads out of its archive.")
NO_FILE = ("not-a-file", "the archive member is a link or a device, not a regular file.")


def test_paths_that_leave_a_tar_archive(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for name in ("../up", "/root", "a/../../up", "C:\\x", "..\\up"):
            file.addfile(tarfile.TarInfo(name))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("link")
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    refusals = [file.refusal for file, _ in iterate_images(str(tmp_path / "x.tar"))]
    assert refusals == [OUTSIDE] * 5 + [NO_FILE] * 4
    with pytest.raises(RefusedImage) as error:
        read_file(f"tar://../up::{tmp_path}/x.tar")
    assert (error.value.reason, error.value.detail) == OUTSIDE


def test_members_of_zip_archives_that_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("../up", b"")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
        file.writestr("zeros", bytes(10_000_000), zipfile.ZIP_DEFLATED)
    first, second, third, zeros = [file for file, _ in iterate_images(str(tmp_path / "x.zip"))]
    assert (first.refusal, second.refusal, third.refusal) == (OUTSIDE, NO_FILE, None)
    with pytest.raises(RefusedImage) as error:
        read_file(zeros, max_bytes=1000)
    assert error.value.reason == "too-many-bytes"
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[content.index(b"\x89PNG") + 50] ^= 1
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(RefusedImage) as error:
        read_file(third)
    assert (error.value.reason, error.value.detail) == (
        "corrupt",
        "the archive member cannot be unpacked (Bad CRC-32 for file 'a.png').",
    )


def refusal(path, **limits):
    with pytest.raises(RefusedImage) as error:
        read_file(path, **limits)
    return error.value.reason, error.value.detail


def test_a_zip_bomb_that_says_that_it_is_small(tmp_path, little_memory, packed_zeros):
    packed = packed_zeros(-15)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("a.png", packed)
        info = file.getinfo("a.png")
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, 1000
    content = bytearray((tmp_path / "x.zip").read_bytes())
    # The local header must agree with the central directory.
    content[8:10] = zipfile.ZIP_DEFLATED.to_bytes(2, "little")
    (tmp_path / "x.zip").write_bytes(content)
    ((member, _),) = iterate_images(str(tmp_path / "x.zip"))
    assert member.size == 1000
    assert refusal(member) == (
        "corrupt",
        "the archive member cannot be unpacked (Bad CRC-32 for file 'a.png').",
    )


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_that_could_explode_when_they_are_unpacked(tmp_path, kind):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", kind) as file:
        file.writestr("a.png", b"content")
    ((member, _),) = iterate_images(str(tmp_path / "x.zip"))
    expected = "unsupported", "the archive member is neither stored nor deflated."
    assert refusal(member) == refusal(member.path) == expected


def test_a_tar_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_ALWAYS", 10**6)
    with tarfile.open(tmp_path / "x.tar.bz2", "w:bz2") as file:
        for name, size in (("a.png", 9), ("zeros", 10**8), ("b.png", 9)):
            info = tarfile.TarInfo(name)
            info.size = size
            file.addfile(info, io.BytesIO(bytes(size)))
    *found, (broken, _) = iterate_images(str(tmp_path / "x.tar.bz2"))
    assert [os.fspath(file).partition("::")[0] for file, _ in found] == [
        "tar://a.png",
        "tar://zeros",
    ]
    assert broken.refusal == (
        "corrupt",
        "the archive is damaged (unpacked, it is more than 1000 times larger).",
    )


def test_a_tar_archive_with_a_header_that_takes_all_memory(tmp_path, little_memory):
    info = tarfile.TarInfo("a.png")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    with gzip.open(tmp_path / "x.tgz", "wb", 1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(2**6):
            file.write(bytes(2**24))
    ((broken, _),) = iterate_images(str(tmp_path / "x.tgz"))
    assert broken.refusal == (
        "corrupt",
        "the archive is damaged (a header has more than 1048576 bytes).",
    )


def test_many_empty_members_are_no_long_header(tmp_path):
    # Without content, their headers follow each other: 1.5 MB.
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for index in range(3000):
            archive.addfile(tarfile.TarInfo(f"{index}.png"))
    assert len([*iterate_images(str(tmp_path / "x.tar"))]) == 3000


def test_a_header_that_is_read_in_chunks(tmp_path, monkeypatch):
    class Chunks(tarfile.TarInfo):
        """Reads a long name as newer releases of Python do."""

        def _proc_gnulong(self, archive):
            for _ in range(self.size // 2**16):
                archive.fileobj.read(2**16)
            raise AssertionError

    info = tarfile.TarInfo("a.png")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    (tmp_path / "x.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**22))
    monkeypatch.setattr(tarfile, "TarInfo", Chunks)
    ((broken, _),) = iterate_images(str(tmp_path / "x.tar"))
    assert broken.refusal == (
        "corrupt",
        "the archive is damaged (a header has more than 1048576 bytes).",
    )
