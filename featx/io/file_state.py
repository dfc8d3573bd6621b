"""States of files: caches are keyed by them, since a path alone does not identify a content."""

import os
from typing import NamedTuple


class FileState(NamedTuple):
    """A file, and what changes when another is written in its place."""

    file: str
    size: int
    #: In nanoseconds.
    modified: int
    inode: int


def file_state(file: str | os.PathLike[str]) -> FileState:
    """Return the present state of a file."""
    status = os.stat(file)
    return FileState(os.fspath(file), status.st_size, status.st_mtime_ns, status.st_ino)
