"""What is at a path or a URL: the bytes of a file, or the reason for which it is refused."""

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

#: Why an image or a sound may be refused, and what each reason means.
REASONS = MappingProxyType(
    {
        "missing": "there is no such file",
        "not-a-file": "it is a folder, a pipe, a socket or a device",
        "unreadable": "the system does not let it be read",
        "empty": "it has no bytes, or no samples",
        "not-an-image": "its content is of no known image format",
        "not-a-sound": "its content is of no known sound format",
        "unsupported": "its format is known, but not this kind of it",
        "truncated": "it ends before the image does",
        "corrupt": "it is damaged",
        "silent": "all its samples are the same",
        "too-large": "it has more pixels, or samples, than the limit",
        "too-many-bytes": "it has more bytes than the limit",
        "too-slow": "it takes longer than the limit",
        "changed": "it changed while it was read",
        "outside": "its name leads out of its archive",
        "removed": "it was there at an earlier run, and is no longer",
        "crashed": "a worker died of it",
        "unsuitable": "a stage cannot work on it",
    }
)
#: Refused for these reasons, a file is tried again by the next run, changed or not.
PASSING = frozenset(
    {"missing", "not-a-file", "unreadable", "too-large", "too-many-bytes", "too-slow", "changed"}
    | {"removed"}
)
#: Files of more bytes are refused.
MOST_BYTES = 2**30
_PathLike = str | bytes | os.PathLike[Any]
# Bytes that tell the format; a film, or another large file, is read no further.
_BEGINNING = 32
# A pipe that has taken the place of a file since is not waited for.
_OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(eq=False, slots=True)
class ImageFile:
    """A file to be read, which keeps what was found of it; it stands wherever a path may."""

    path: str | bytes
    #: Bytes; None where that is not known.
    size: int | None = None
    #: When it was last changed, in nanoseconds since 1970; None where that is not known.
    modified: int | None = None
    #: Of its content, in hexadecimal digits; None unless it was read whole.
    sha256: str | None = None
    #: A reason and more words, where it is known beforehand that it is not to be read.
    refusal: tuple[str, str] | None = None
    #: What it holds, where only the process that listed it can read it.
    content: bytes | None = None

    def __fspath__(self) -> str | bytes:
        return self.path

    def look(self) -> None:
        """Find its size and when it was changed, without opening it."""
        self.size = self.modified = None
        text = os.fsdecode(self.path)
        try:
            if not _is_local(text):
                self.size, self.modified = _look_elsewhere(text)
            else:
                self.found(os.stat(self.path))
        # Every file system has errors of its own; reading will tell.
        except Exception:
            return

    def found(self, status: os.stat_result) -> None:
        """Keep its size and when it was changed; only files have these."""
        regular = stat.S_ISREG(status.st_mode)
        self.size = status.st_size if regular else None
        self.modified = status.st_mtime_ns if regular else None

    def hold(self) -> None:
        """Read at once what no other process can read."""
        text = os.fsdecode(self.path)
        if remote.in_this_process(text):
            with suppress(OSError):
                self.content = remote.read(text, MOST_BYTES)


def read_file(
    path: _PathLike,
    wanted: Callable[[bytes], object] = bool,
    max_bytes: int = MOST_BYTES,
) -> bytes:
    """Read the bytes of a file, a member of an archive or what is at a URL, or refuse it.

    What is no regular file is never opened. Only the beginning is given where ``wanted`` says no
    to it. An `ImageFile` keeps what is found.
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
        raise RefusedImage(file, "empty", "it has no bytes.")
    return content


def _is_local(path: str) -> bool:
    # A folder may have the name of a protocol.
    return not remote.is_url(path) or os.path.lexists(path)


def _read_here(
    file: ImageFile, wanted: Callable[[bytes], object], max_bytes: int
) -> tuple[bytes, bool]:
    try:
        _check_kind(file, os.stat(file.path))
        # The system's own calls: a buffer in between takes longer than they do.
        descriptor = os.open(file.path, _OPENING)
        try:
            before = os.fstat(descriptor)
            _check_kind(file, before)
            content = os.read(descriptor, _BEGINNING)
            whole = bool(wanted(content))
            if whole:
                _check_bytes(file, before.st_size, max_bytes)
                # One byte more, to see whether it has grown.
                os.lseek(descriptor, 0, os.SEEK_SET)
                content = _read_up_to(descriptor, before.st_size + 1)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        raise RefusedImage(file, "missing", "there is no such file.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, RefusedImage):
            raise
        problem = getattr(error, "strerror", None) or str(error)
        raise RefusedImage(file, "unreadable", f"{problem}.") from None
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if not same or (whole and len(content) != after.st_size):
        raise RefusedImage(file, "changed", "it changed while it was read. Run again.")
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
        raise RefusedImage(file, "missing", "there is no such file.") from None
    except NotImplementedError as error:
        raise RefusedImage(file, "unsupported", f"{error}.") from None
    except archives.ERRORS as error:
        raise RefusedImage(
            file, "corrupt", f"as part of its archive it is broken ({error})."
        ) from None
    # Every file system has errors of its own.
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
        raise RefusedImage(file, "not-a-file", f"{REASONS['not-a-file']}, not a regular file.")


def _check_bytes(file: ImageFile, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        detail = f"it has {size} bytes, more than max_bytes={max_bytes}."
        raise RefusedImage(file, "too-many-bytes", detail)


def _read_up_to(descriptor: int, size: int) -> bytes:
    """Read so many bytes, or what there is."""
    content = os.read(descriptor, size)
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content
