"""Output that is there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class OutputError(ValueError):
    """A file or folder that cannot be written: says which, and why."""


def as_text(path: Any) -> str:
    r"""Give a path as valid Unicode; bytes that are none are shown as ``\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Make a folder whole or not at all: work in one beside it, and rename that at the end."""
    final = Path(folder)
    if final.exists() and not (final.is_dir() and not any(final.iterdir())):
        raise OutputError(
            f"{folder}: it exists already, and is not an empty folder. Remove it, or "
            "choose another name."
        )
    try:
        final.absolute().parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.absolute().parent))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}.") from None
    try:
        yield unfinished
        unfinished.chmod(0o777 & ~_umask())
        unfinished.rename(final.absolute())
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


@contextmanager
def new_file(file: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all; one that is there is replaced at the end."""
    final = Path(file).absolute()
    if final.is_dir():
        raise OutputError(f"{file}: is a folder, and a file is to be written.")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{final.stem}-", suffix=final.suffix, dir=final.parent
        )
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror}.") from None
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(0o666 & ~_umask())
        unfinished.rename(final)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
