"""Reading of files, archive members and URLs, and the reasons for rejecting them."""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from featx.core.errors import RefusedImage
from featx.io import archives, remote

#: The reasons for rejecting an image or a sound, and their descriptions.
REASONS = MappingProxyType(
    {
        "missing": "the file does not exist",
        "not-a-file": "the path is a folder, pipe, socket or device, not a regular file",
        "unreadable": "the file cannot be opened or read",
        "empty": "the file has no bytes, or no samples",
        "not-an-image": "unknown image format",
        "not-a-sound": "unknown sound format",
        "unsupported": "unsupported variant of a known format",
        "truncated": "the file ends before its image or sound is complete",
        "corrupt": "the file is damaged",
        "silent": "all samples are equal",
        "too-large": "the file has more pixels or samples than the limit",
        "too-many-bytes": "the file has more bytes than the limit",
        "too-slow": "processing exceeded the time limit",
        "changed": "the file changed while it was read",
        "outside": "the member's path leads out of its archive",
        "removed": "the file existed in an earlier run, but no longer exists",
        "crashed": "a worker process died while it processed the file",
        "unsuitable": "the image does not meet the requirements of a stage",
    }
)
#: A later run retries files rejected for these reasons, even if they are unchanged.
PASSING = frozenset(
    {"missing", "not-a-file", "unreadable", "too-large", "too-many-bytes", "too-slow", "changed"}
    | {"removed"}
)
#: Default size limit: larger files are rejected.
MOST_BYTES = 2**30
_PathLike = str | bytes | os.PathLike[Any]
# Bytes read to detect the format; the rest of a file in another format is not read.
_BEGINNING = 32
# O_NONBLOCK: do not wait for a pipe that has replaced a file after the check.
_OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(eq=False, slots=True)
class ImageFile:
    """A file to read, with its size, modification time and hash; a path-like object."""

    path: str | bytes
    #: Size in bytes, or None if unknown.
    size: int | None = None
    #: Modification time in nanoseconds since 1970, or None if unknown.
    modified: int | None = None
    #: SHA-256 of the content in hexadecimal digits, or None unless the whole file was read.
    sha256: str | None = None
    #: Reason and detail if the file was rejected when it was listed.
    refusal: tuple[str, str] | None = None
    #: The content, if only the process that listed the file can read it.
    content: bytes | None = None

    def __fspath__(self) -> str | bytes:
        return self.path

    def look(self) -> None:
        """Set size and modification time, without opening the file."""
        self.size = self.modified = None
        text = os.fsdecode(self.path)
        try:
            if not _is_local(text):
                self.size, self.modified = _look_elsewhere(text)
            else:
                self.found(os.stat(self.path))
        # Each file system raises exceptions of its own. Reading the file reports the error.
        except Exception:
            return

    def found(self, status: os.stat_result) -> None:
        """Set size and modification time from a stat result; None unless it is a regular file."""
        regular = stat.S_ISREG(status.st_mode)
        self.size = status.st_size if regular else None
        self.modified = status.st_mtime_ns if regular else None

    def hold(self) -> None:
        """Read the content now if other processes cannot read it (``memory://``)."""
        text = os.fsdecode(self.path)
        if remote.in_this_process(text):
            with suppress(OSError):
                self.content = remote.read(text, MOST_BYTES)


def read_file(
    path: _PathLike,
    wanted: Callable[[bytes], object] = bool,
    max_bytes: int = MOST_BYTES,
) -> bytes:
    """Read the bytes of a file, an archive member or a URL.

    Folders, pipes, sockets and devices are never opened. ``wanted`` is called with the first bytes
    of a local file; if it returns false, only these bytes are returned. If ``path`` is an
    `ImageFile`, its size, modification time and hash are set.

    Raises
    ------
    RefusedImage
        If the file is rejected, with one of `REASONS`.
    """
    file = path if isinstance(path, ImageFile) else ImageFile(os.fspath(path))
    if file.refusal is not None:
        raise RefusedImage(file, *file.refusal)
    text = os.fsdecode(file.path)
    if _is_local(text):
        content, whole = _read_here(file, wanted, max_bytes)
    else:
        content, whole = _read_elsewhere(file, text, max_bytes), True
    if file is path and whole:
        file.sha256 = hashlib.sha256(content).hexdigest()
    if not content:
        raise RefusedImage(file, "empty", "the file has no bytes.")
    return content


def _is_local(path: str) -> bool:
    # A local path may look like a URL.
    return not remote.is_url(path) or os.path.lexists(path)


def _read_here(
    file: ImageFile, wanted: Callable[[bytes], object], max_bytes: int
) -> tuple[bytes, bool]:
    try:
        _check_kind(file, os.stat(file.path))
        # System calls without a buffered file object, whose overhead exceeds the calls.
        descriptor = os.open(file.path, _OPENING)
        try:
            before = os.fstat(descriptor)
            _check_kind(file, before)
            content = os.read(descriptor, _BEGINNING)
            whole = bool(wanted(content))
            if whole:
                _check_bytes(file, before.st_size, max_bytes)
                # One byte more, to detect that the file has grown.
                os.lseek(descriptor, 0, os.SEEK_SET)
                content = _read_up_to(descriptor, before.st_size + 1)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        raise RefusedImage(file, "missing", f"{REASONS['missing']}.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, RefusedImage):
            raise
        problem = getattr(error, "strerror", None) or str(error)
        raise RefusedImage(file, "unreadable", f"{problem}.") from None
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if not same or (whole and len(content) != after.st_size):
        raise RefusedImage(file, "changed", f"{REASONS['changed']}. Run again.")
    file.found(after)
    return content, whole


def _read_elsewhere(file: ImageFile, text: str, max_bytes: int) -> bytes:
    if file.content is not None:
        file.size = len(file.content)
        _check_bytes(file, file.size, max_bytes)
        return file.content
    member = archives.parse(text)
    try:
        if member is not None:
            _check_member(file, *member)
        elif file.size is None:
            file.size, file.modified = remote.look(text)
        _check_bytes(file, file.size or 0, max_bytes)
        content = remote.read(text, max_bytes) if member is None else archives.read(*member)
    except RefusedImage:
        raise
    except FileNotFoundError:
        raise RefusedImage(file, "missing", f"{REASONS['missing']}.") from None
    except NotImplementedError as error:
        raise RefusedImage(file, "unsupported", f"{error}.") from None
    except archives.ERRORS as error:
        raise RefusedImage(
            file, "corrupt", f"the archive member cannot be unpacked ({error})."
        ) from None
    # Each file system raises exceptions of its own.
    except Exception as error:
        problem = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise RefusedImage(file, "unreadable", f"{problem}.") from None
    file.size = len(content)
    _check_bytes(file, file.size, max_bytes)
    return content


def _check_member(file: ImageFile, archive: str, name: str) -> None:
    member = archives.look(archive, name)
    if member is None:
        raise FileNotFoundError
    file.size, file.modified = member.size, member.modified
    if member.refusal is not None:
        raise RefusedImage(file, *member.refusal)


def _look_elsewhere(path: str) -> tuple[int | None, int | None]:
    member = archives.parse(path)
    if member is None:
        return remote.look(path)
    found = archives.look(*member)
    return (None, None) if found is None else (found.size, found.modified)


def _check_kind(file: ImageFile, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedImage(file, "not-a-file", f"{REASONS['not-a-file']}.")


def _check_bytes(file: ImageFile, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        detail = f"the file has {size} bytes, more than max_bytes={max_bytes}."
        raise RefusedImage(file, "too-many-bytes", detail)


def _read_up_to(descriptor: int, size: int) -> bytes:
    """Read ``size`` bytes, or fewer at the end of the file."""
    content = os.read(descriptor, size)
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content
