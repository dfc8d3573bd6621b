"""What is at a path: the bytes of a file, or the reason for which it is refused."""

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

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


class RefusedImage(ValueError):  # noqa: N818 - the name says what happened to the image
    """An image, or a sound, that is not read, with the reason.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        One of `REASONS`.
    detail : str
        What exactly was wrong, and what would be right.
    """

    def __init__(self, path: _PathLike, reason: str, detail: str) -> None:
        super().__init__(os.fspath(path), reason, detail)
        self.path = os.fsdecode(path)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}: {self.detail}"


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

    def __fspath__(self) -> str | bytes:
        return self.path

    def look(self) -> None:
        """Find its size and when it was changed, without opening it."""
        try:
            self.found(os.stat(self.path))
        except (OSError, ValueError):
            self.size = self.modified = None

    def found(self, status: os.stat_result) -> None:
        """Keep its size and when it was changed; only files have these."""
        regular = stat.S_ISREG(status.st_mode)
        self.size = status.st_size if regular else None
        self.modified = status.st_mtime_ns if regular else None


def read_file(
    path: _PathLike,
    wanted: Callable[[bytes], object] = bool,
    max_bytes: int = MOST_BYTES,
) -> bytes:
    """Read a regular file's bytes, or refuse it; nothing else is ever opened.

    Only the beginning is given where ``wanted`` says no to it. An `ImageFile` keeps what is found.
    """
    try:
        _check_kind(path, os.stat(path))
        with open(path, "rb", opener=_without_waiting) as file:
            before = os.fstat(file.fileno())
            _check_kind(path, before)
            content = file.peek(_BEGINNING)[:_BEGINNING]
            whole = bool(wanted(content))
            if whole:
                _check_bytes(path, before.st_size, max_bytes)
                # One byte more, to see whether it has grown.
                content = file.read(before.st_size + 1)
            after = os.fstat(file.fileno())
    except (FileNotFoundError, NotADirectoryError):
        raise RefusedImage(path, "missing", "there is no such file.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, RefusedImage):
            raise
        problem = getattr(error, "strerror", None) or str(error)
        raise RefusedImage(path, "unreadable", f"{problem}.") from None
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if not same or (whole and len(content) != after.st_size):
        raise RefusedImage(path, "changed", "it changed while it was read. Run again.")
    if isinstance(path, ImageFile):
        path.found(after)
        path.sha256 = hashlib.sha256(content).hexdigest() if whole else None
    if not content:
        raise RefusedImage(path, "empty", "it has no bytes.")
    return content


def _check_kind(path: _PathLike, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedImage(path, "not-a-file", f"{REASONS['not-a-file']}, not a regular file.")


def _check_bytes(path: _PathLike, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        detail = f"it has {size} bytes, more than max_bytes={max_bytes}."
        raise RefusedImage(path, "too-many-bytes", detail)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that has taken its place since is not waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
