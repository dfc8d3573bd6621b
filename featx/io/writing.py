"""Atomic writes of files and folders, and text that is safe in JSON and CSV."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from featx.core.errors import OutputError, RefusedImage


def as_text(path: Any) -> str:
    r"""Return a path as valid Unicode, with undecodable bytes escaped as ``\xff``."""
    text = os.fspath(path)
    if isinstance(text, str) and text.isascii():
        return text
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def image_name(image: Any, index: int) -> str:
    """Return the name of an image: its path, or, for an array, its index."""
    is_path = isinstance(image, str | bytes) or hasattr(image, "__fspath__")
    return as_text(image) if is_path else f"image {index}"


def refused_as_data(refused: Iterable[RefusedImage]) -> list[dict[str, str]]:
    """Return rejected images as plain data, for JSON."""
    return [
        {"path": as_text(image.path), "reason": image.reason, "detail": image.detail}
        for image in refused
    ]


def as_cell(text: str | None) -> str | None:
    """Escape text for a CSV cell by an apostrophe, if a spreadsheet would read it as a formula."""
    return f"'{text}" if text and text[0] in _FORMULAS else text


#: First characters of formulas, including the fullwidth forms of East Asian encodings.
_FORMULAS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Create a folder atomically: yield a temporary folder, and rename it at the end.

    If the folder exists and is empty, the content is moved into it instead, since it may be a mount
    point or the current folder.
    """
    final = _resolved(folder)
    there = final.exists()
    if there and not (final.is_dir() and not any(final.iterdir())):
        raise OutputError(
            f"{folder}: already exists and is not an empty folder. Remove it, or choose another "
            "name."
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
    """Write a file atomically: yield a temporary file, and rename it at the end.

    An existing file is replaced. The temporary file is ``unfinished`` if that is in the same
    folder. A caller that passes ``unfinished`` must ensure that no other process uses it, and must
    remove it after a process was killed.
    """
    final = _resolved(file)
    if final.is_dir():
        raise OutputError(f"{file}: is a folder. Pass the path of a file.")
    if final.exists() and not final.is_file():
        raise OutputError(f"{file}: is a device or a pipe. Pass the path of a file.")
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
    """Create the parent folders of an output; remove them again if writing fails."""
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
    """Resolve symbolic links, so that their target is written and the links are kept."""
    return Path(os.path.realpath(path))


def _hidden(final: Path) -> str:
    """Return a random hidden name for temporary output, of less than 255 bytes.

    `tempfile` is not used, since its files are readable by their owner only. Restoring the usual
    permissions requires the umask, which can only be read by changing it for the whole process.
    """
    return f".{final.stem[:40]}-{secrets.token_hex(8)}"


def _cannot_be_written(wanted: str | Path, error: OSError) -> OutputError:
    exists = isinstance(error, FileExistsError)
    reason = "a parent folder is a file" if exists else error.strerror
    return OutputError(f"{wanted}: cannot be written: {reason}.")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
