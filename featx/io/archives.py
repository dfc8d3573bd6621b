"""Access to members of zip and tar archives without unpacking."""

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
from typing import Any, NamedTuple, Self

from featx.io.file_state import FileState, file_state

#: Exceptions that the standard library raises for damaged archives.
ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
_ZIP = (".zip",)
#: Limit of a tar archive's unpacked size: a constant, plus a multiple of its own size.
_ALWAYS, _MOST_TIMES = 2**30, 1000
_LARGEST_HEADER = 2**20
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int
    #: Modification time in nanoseconds since 1970.
    modified: int
    #: Reason and detail if the member is rejected, else None.
    refusal: tuple[str, str] | None
    #: Offset of its content in the unpacked tar archive.
    place: int = 0


def is_archive(path: str) -> bool:
    """Return whether a file is an archive, by its suffix."""
    return path.lower().endswith((*_ZIP, *_TAR))


def address(archive: str, member: str) -> str:
    """Return the path of a member in fsspec's notation."""
    return f"{'zip' if archive.lower().endswith(_ZIP) else 'tar'}://{member}::{archive}"


def parse(path: str) -> tuple[str, str] | None:
    """Split the path of a member into archive and member; return None for other paths."""
    if not path.startswith(("zip://", "tar://")):
        return None
    member, separator, archive = path[6:].rpartition("::")
    return (archive, member) if separator and "://" not in archive else None


def members(archive: str) -> Iterator[Member]:
    """Yield the files of an archive in archive order."""
    if archive.lower().endswith(_ZIP):
        with zipfile.ZipFile(archive) as opened:
            yield from map(_of_zip, (info for info in opened.infolist() if not info.is_dir()))
        return
    with _unpacked(archive) as file:
        headers: Any = _Headers(file, archive)

        class Info(tarfile.TarInfo):
            @classmethod
            def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
                headers.begin()
                return super().fromtarfile(tarfile)

        with tarfile.open(fileobj=headers, mode="r:", tarinfo=Info) as tar:
            for info in tar:
                if not info.isdir():
                    yield _of_tar(info)
                # Keep memory bounded: TarFile stores all members in an undocumented list.
                tar.members = []  # type: ignore[attr-defined]


def look(archive: str, member: str) -> Member | None:
    """Return a member's metadata, or None if the archive has no such member."""
    return _table(file_state(archive)).get(member)


def read(archive: str, member: str) -> bytes:
    """Read a member, up to the size in its metadata."""
    state = file_state(archive)
    _, size, *_, place = _table(state)[member]
    if archive.lower().endswith(_ZIP):
        with _opened(state, zipfile.ZipFile).open(member) as file:
            # Without a size, all data would be unpacked, even beyond the stated size.
            content: bytes = file.read(size)
    else:
        file = _opened(state, _unpacked)
        file.seek(place)
        content = file.read(size)
    if len(content) < size:
        raise EOFError("the archive ends before the member is complete")
    return content


def _of_zip(info: zipfile.ZipInfo) -> Member:
    refusal = _leads_out(info.filename)
    if stat.S_ISLNK(info.external_attr >> 16):
        refusal = _NO_FILE
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        refusal = "unsupported", "the archive member is neither stored nor deflated."
    if info.flag_bits & 1:
        refusal = "unreadable", "the archive member is encrypted."
    modified = calendar.timegm((*info.date_time, 0, 0, 0)) * 10**9
    return Member(info.filename, info.file_size, modified, refusal)


def _of_tar(info: tarfile.TarInfo) -> Member:
    refusal = _leads_out(info.name)
    if not info.isfile():
        refusal = _NO_FILE
    if info.issparse():
        refusal = "unsupported", "the archive member is a sparse file."
    return Member(info.name, info.size, int(info.mtime * 10**9), refusal, info.offset_data)


_NO_FILE = "not-a-file", "the archive member is a link or a device, not a regular file."


def _leads_out(name: str) -> tuple[str, str] | None:
    """Reject names that would be written outside of the folder if the archive were unpacked."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        return "outside", "the member's path leads out of its archive."
    return None


@lru_cache(maxsize=4)
def _table(archive: FileState) -> dict[str, Member]:
    return {member.name: member for member in members(archive.file)}


class _Headers:
    """File object for the headers of a tar archive that limits their size and the total size."""

    def __init__(self, file: Any, archive: str) -> None:
        self._file = file
        self._most = _ALWAYS + _MOST_TIMES * os.path.getsize(archive)
        self._size = 0
        self.tell = file.tell

    def begin(self) -> None:
        """Begin the headers of a member."""
        self._size = 0

    def read(self, size: int) -> bytes:
        # Since 2026, tarfile reads long headers in chunks and keeps them all.
        self._size += size
        if self._size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header has more than {_LARGEST_HEADER} bytes")
        content: bytes = self._file.read(size)
        return content

    def seek(self, place: int) -> None:
        if place > self._most:
            raise tarfile.ReadError(f"unpacked, it is more than {_MOST_TIMES} times larger")
        self._file.seek(place)


class _Opened(threading.local):
    """The archive that this thread read last, kept open since sequential reads are fast."""

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
