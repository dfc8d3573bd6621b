"""Output that is there whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from featx.core.errors import OutputError, RefusedImage


def as_text(path: Any) -> str:
    r"""Give a path as valid Unicode; bytes that are none are shown as ``\xff``."""
    text = os.fspath(path)
    if isinstance(text, str) and text.isascii():
        return text
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def image_name(image: Any, index: int) -> str:
    """Name an image by its path, or, if it is an array, by its index."""
    is_path = isinstance(image, str | bytes) or hasattr(image, "__fspath__")
    return as_text(image) if is_path else f"image {index}"


def refused_as_data(refused: Iterable[RefusedImage]) -> list[dict[str, str]]:
    """Return rejected images as plain data, for JSON."""
    return [
        {"path": as_text(image.path), "reason": image.reason, "detail": image.detail}
        for image in refused
    ]


def as_cell(text: str | None) -> str | None:
    """Give text as a cell of a CSV table that no spreadsheet takes for a formula."""
    return f"'{text}" if text and text[0] in _FORMULAS else text


#: What a formula may begin with, also in the wide letters of East Asia.
_FORMULAS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Make a folder whole or not at all: work in another one, and move that at the end.

    Into a folder that is there, and empty, the content is moved: it may be a mount point, or the
    folder that the user is in.
    """
    final = _resolved(folder)
    there = final.exists()
    if there and not (final.is_dir() and not any(final.iterdir())):
        raise OutputError(
            f"{folder}: it exists already, and is not an empty folder. Remove it, or "
            "choose another name."
        )
    with folders_for(folder, final if there else final.parent) as place:
        try:
            unfinished = place / _hidden(final)
            unfinished.mkdir()
        except OSError as error:
            raise _cannot_be_written(folder, error) from None
        moved: list[Path] = []
        try:
            yield unfinished
            if there:
                moved += (entry.rename(final / entry.name) for entry in [*unfinished.iterdir()])
                unfinished.rmdir()
            else:
                unfinished.rename(final)
        except BaseException:
            for path in (unfinished, *moved):
                _remove(path)
            raise


@contextmanager
def new_file(file: str | Path, unfinished: Path | None = None) -> Iterator[Path]:
    """Write a file whole or not at all; one that is there is replaced at the end.

    Work goes on in ``unfinished`` if that is in the same folder: a caller that names it sees to it
    that nobody else does, and that what a killed process leaves there is removed.
    """
    final = _resolved(file)
    if final.is_dir():
        raise OutputError(f"{file}: is a folder, and a file is to be written.")
    if final.exists() and not final.is_file():
        raise OutputError(f"{file}: is a device or a pipe, and a file is to be written.")
    with folders_for(file, final.parent) as place:
        try:
            if unfinished is None or unfinished.parent != place:
                unfinished = place / f"{_hidden(final)}{final.suffix}"
                unfinished.touch(exist_ok=False)
        except OSError as error:
            raise _cannot_be_written(file, error) from None
        try:
            yield unfinished
            unfinished.rename(final)
        except BaseException:
            _remove(unfinished)
            raise


@contextmanager
def folders_for(wanted: str | Path, folder: Path) -> Iterator[Path]:
    """Make the folders above what is to be written; those made are removed if that fails."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_be_written(wanted, error) from None
        yield folder
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


def _resolved(path: str | Path) -> Path:
    """Follow links, so that what they lead to is written, and they stay."""
    return Path(os.path.realpath(path))


def _hidden(final: Path) -> str:
    """Draw the hidden name under which work goes on; names may not be longer than 255 bytes.

    `tempfile` would make it readable by its owner only: to tell whom the user lets read it, the
    umask would have to be changed for a moment, and that is the whole process's.
    """
    return f".{final.stem[:40]}-{secrets.token_hex(8)}"


def _cannot_be_written(wanted: str | Path, error: OSError) -> OutputError:
    exists = isinstance(error, FileExistsError)
    reason = "a folder above it is a file" if exists else error.strerror
    return OutputError(f"{wanted}: cannot be written: {reason}.")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
