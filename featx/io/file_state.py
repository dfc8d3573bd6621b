"""File states as cache keys: a path alone does not identify a content."""

import os
from typing import NamedTuple


class FileState(NamedTuple):
    """A path with the metadata that changes when the file is rewritten or replaced."""

    file: str
    size: int
    #: Modification time in nanoseconds since 1970.
    modified: int
    inode: int


def file_state(file: str | os.PathLike[str]) -> FileState:
    """Return the current state of a file."""
    status = os.stat(file)
    return FileState(os.fspath(file), status.st_size, status.st_mtime_ns, status.st_ino)
