"""Members of zip and tar archives, read without unpacking."""

import bz2
import calendar
import gzip
import lzma
import os
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from featx.io.file_state import FileState, file_state

#: What broken archives make the standard library raise.
ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
_ZIP = (".zip",)
#: A tar archive may unpack to so many bytes, and so many more for each of its own.
_ALWAYS, _MOST_TIMES = 2**30, 1000
_LARGEST_HEADER = 2**20
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int
    #: When it was last changed, in nanoseconds since 1970.
    modified: int
    #: Why it is not to be read, and in more words; None as a rule.
    refusal: tuple[str, str] | None
    #: Where in an unpacked tar archive its bytes begin.
    place: int = 0


def is_archive(path: str) -> bool:
    """Tell by its name whether a file is an archive."""
    return path.lower().endswith((*_ZIP, *_TAR))


def address(archive: str, member: str) -> str:
    """Give a member a path of its own, as fsspec writes it."""
    return f"{'zip' if archive.lower().endswith(_ZIP) else 'tar'}://{member}::{archive}"


def parse(path: str) -> tuple[str, str] | None:
    """Give archive and member of such a path; None for all others."""
    if not path.startswith(("zip://", "tar://")):
        return None
    member, separator, archive = path[6:].rpartition("::")
    return (archive, member) if separator and "://" not in archive else None


def members(archive: str) -> Iterator[Member]:
    """List the files in an archive, in its order."""
    if archive.lower().endswith(_ZIP):
        with zipfile.ZipFile(archive) as opened:
            yield from map(_of_zip, (info for info in opened.infolist() if not info.is_dir()))
        return
    with _unpacked(archive) as file:
        headers: Any = _Headers(file, archive)
        with tarfile.open(fileobj=headers, mode="r:") as tar:
            for info in tar:
                if not info.isdir():
                    yield _of_tar(info)
                # It would keep all of them; its types do not tell that it has them.
                tar.members = []  # type: ignore[attr-defined]


def look(archive: str, member: str) -> Member | None:
    """Give what an archive says of a member; None if there is none."""
    return _table(file_state(archive)).get(member)


def read(archive: str, member: str) -> bytes:
    """Read a member; its size is what `look` says, whatever its archive would give."""
    state = file_state(archive)
    _, size, *_, place = _table(state)[member]
    if archive.lower().endswith(_ZIP):
        with _opened(state, zipfile.ZipFile).open(member) as file:
            # Without the size, all would be unpacked, however much it is.
            content: bytes = file.read(size)
    else:
        file = _opened(state, _unpacked)
        file.seek(place)
        content = file.read(size)
    if len(content) < size:
        raise EOFError("the archive ends before its member does")
    return content


def _of_zip(info: zipfile.ZipInfo) -> Member:
    refusal = _leads_out(info.filename)
    if stat.S_ISLNK(info.external_attr >> 16):
        refusal = _NO_FILE
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refusal = "unsupported", "it is packed neither by deflate nor not at all."
    if info.flag_bits & 1:
        refusal = "unreadable", "it is encrypted."
    modified = calendar.timegm((*info.date_time, 0, 0, 0)) * 10**9
    return Member(info.filename, info.file_size, modified, refusal)


def _of_tar(info: tarfile.TarInfo) -> Member:
    refusal = _leads_out(info.name)
    if not info.isfile():
        refusal = _NO_FILE
    if info.issparse():
        refusal = "unsupported", "it has holes in its archive."
    return Member(info.name, info.size, int(info.mtime * 10**9), refusal, info.offset_data)


_NO_FILE = "not-a-file", "it is a link or a device in its archive, not an image file."


def _leads_out(name: str) -> tuple[str, str] | None:
    """Refuse names that would be files elsewhere if the archive were unpacked."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        return "outside", "its name leads out of its archive."
    return None


@lru_cache(maxsize=4)
def _table(archive: FileState) -> dict[str, Member]:
    return {member.name: member for member in members(archive.file)}


class _Headers:
    """A tar archive as its headers are read: none is large, and what explodes is not unpacked."""

    def __init__(self, file: Any, archive: str) -> None:
        self._file = file
        self._most = _ALWAYS + _MOST_TIMES * os.path.getsize(archive)
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        content: bytes = self._file.read(size)
        return content

    def seek(self, place: int) -> None:
        if place > self._most:
            raise tarfile.ReadError(f"it unpacks to more than {_MOST_TIMES} times its size")
        self._file.seek(place)


class _Opened(threading.local):
    """The archive that this thread read last: going on in it is quick, in its order."""

    state: FileState | None = None
    file: Any = None


_last = _Opened()


def _opened(state: FileState, opener: Any) -> Any:
    if _last.state != state:
        if _last.file is not None:
            _last.file.close()
        _last.state, _last.file = None, opener(state.file)
        _last.state = state
    return _last.file


def _unpacked(archive: str) -> Any:
    with open(archive, "rb") as file:
        beginning = file.read(6)
    if beginning.startswith(b"\x1f\x8b"):
        return gzip.open(archive)
    if beginning.startswith(b"BZh"):
        return bz2.open(archive)
    if beginning == b"\xfd7zXZ\x00":
        return lzma.open(archive)
    return open(archive, "rb")
