"""Iteration over the files of a folder, glob, manifest, archive or URL, with labels."""

import glob
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from featx.core.errors import DatasetError, RemoteError
from featx.io.archives import ERRORS as ARCHIVE_ERRORS
from featx.io.archives import address, is_archive, members
from featx.io.files import ImageFile
from featx.io.remote import find, is_url
from featx.io.writing import as_text

_MANIFESTS = (".csv", ".parquet")
_BLOCK = 2**16  # names of a folder, or bytes of a list, read at a time
_ACCEPTED = (
    "Pass a folder with one subfolder per class, a glob, a CSV or Parquet manifest with the "
    "columns path and label, an archive, a URL, or - for a list."
)


def iterate_images(source: str | Path) -> Iterator[tuple[Any, str | None]]:
    """Yield path and label of the files of a source, as they are found.

    ``source`` is a folder, a glob, a manifest, a zip or tar archive, a URL, or ``-``. The last
    means a list of paths on standard input, separated by line ends or null bytes.

    All files are included, whatever their type, so that each can be reported. Only folders whose
    names begin with a dot are skipped.

    The label of a file is the first folder below ``source``. For a glob, a list or a URL with a
    pattern, it is the file's own folder. For a manifest, it is the value of the column ``label``.

    Raises
    ------
    DatasetError
        If ``source`` does not exist, contains no files, or cannot be read.
    """
    count = 0
    for row in _find(str(source)):
        count += 1
        yield row
    if count == 0:
        raise DatasetError(f"{source}: no files found. {_ACCEPTED}")


def _find(source: str) -> Iterator[tuple[Any, str | None]]:
    if source == "-":
        return _read_list(sys.stdin.buffer)
    if os.path.isdir(source):
        return _walk(source)
    if is_url(source) and not os.path.lexists(source):
        return _find_remote(source)
    if source.lower().endswith(_MANIFESTS) and not glob.has_magic(source):
        return _read_manifest(Path(source))
    if is_archive(source) and os.path.isfile(source):
        return _list_archive(source)
    # The name of a file may look like a glob: photo[1].jpg.
    pattern = glob.escape(source) if os.path.exists(source) else source
    return _match(source, pattern)


def _match(source: str, pattern: str) -> Iterator[tuple[Any, str | None]]:
    found = sorted(file for file in glob.glob(pattern, recursive=True) if _is_file(file))
    if not found and not glob.has_magic(pattern):
        raise DatasetError(f"{source}: no such folder or file.")
    for file in found:
        if is_archive(file):
            yield from _list_archive(file)
        else:
            yield file, _own_folder(file)


def _own_folder(path: str) -> str | None:
    return as_text(os.path.basename(os.path.dirname(path))) or None


def _walk(folder: str) -> Iterator[tuple[Any, str | None]]:
    """Yield the files of a folder, then those of each subfolder, sorted by name.

    Names are sorted in blocks: the first files of a huge folder are available at once.
    """
    waiting: list[tuple[str, str | None]] = [(folder, None)]
    while waiting:
        place, label = waiting.pop()
        folders: list[str] = []
        try:
            with os.scandir(place) as entries:
                while block := list(islice(entries, _BLOCK)):
                    files = []
                    for entry in block:
                        if not _is_folder(entry):
                            files.append(entry.name)
                        elif not (entry.is_symlink() and _leads_up(entry.path, folder)):
                            folders.append(entry.name)
                    start = os.path.join(place, "")
                    for name in sorted(files):
                        yield start + name, label
        except OSError as error:
            refusal = "unreadable", f"the folder cannot be listed: {error.strerror}."
            yield ImageFile(place, refusal=refusal), label
        for name in sorted(folders, reverse=True):
            if not name.startswith("."):
                inside = as_text(name) if place == folder else label
                waiting.append((os.path.join(place, name), inside))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _leads_up(link: str, top: str) -> bool:
    """Return whether a link leads to a parent folder, which would cause an endless loop."""
    above = os.path.dirname(link)
    while len(above) > len(top):
        if os.path.samefile(above, link):
            return True
        above = os.path.dirname(above)
    return os.path.samefile(top, link)


def _read_list(file: BinaryIO) -> Iterator[tuple[Any, str | None]]:
    """Yield paths separated by line ends or null bytes, as soon as they arrive."""
    rest, separator = b"", b""
    while block := (file.read1(_BLOCK) if hasattr(file, "read1") else file.read(_BLOCK)):
        rest += block
        separator = separator or (b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b"")
        *paths, rest = rest.split(separator) if separator else [rest]
        for path in paths:
            if path:
                yield os.fsdecode(path), _own_folder(os.fsdecode(path))
    if rest:
        yield os.fsdecode(rest), _own_folder(os.fsdecode(rest))


def _list_archive(archive: str) -> Iterator[tuple[Any, str | None]]:
    try:
        for member in members(archive):
            path = address(archive, member.name)
            file = ImageFile(path, member.size, member.modified, refusal=member.refusal)
            inside, separator, _ = member.name.removeprefix("./").partition("/")
            yield file, as_text(inside) if separator else None
    except (*ARCHIVE_ERRORS, OSError) as error:
        refusal = "corrupt", f"the archive is damaged ({error})."
        yield ImageFile(archive, refusal=refusal), None


def _find_remote(url: str) -> Iterator[tuple[Any, str | None]]:
    try:
        for path, below, size, modified in find(url):
            first, separator, _ = below.partition("/")
            inside = first if separator else None
            yield ImageFile(path, size, modified), inside if below else _own_folder(path)
    except RemoteError as error:
        raise DatasetError(str(error)) from None


def _is_file(path: str) -> bool:
    return not os.path.isdir(path)


def _read_manifest(path: Path) -> Iterator[tuple[Any, str | None]]:
    """Yield the rows of a manifest, read a few thousand at a time."""
    # Imported here: pyarrow loads slowly, and folders do not need it.
    import pyarrow

    if not path.is_file():
        raise DatasetError(f"{path}: no such file.")
    count = 0
    try:
        for names, batch in _batches(path):
            _check_columns(path, names)
            paths = batch["path"].to_pylist()
            if None in paths:
                raise DatasetError(f"{path}: row {count + paths.index(None) + 1} has no path.")
            labels = batch["label"].to_pylist() if "label" in names else [None] * len(paths)
            for file, label in zip(map(str, paths), labels, strict=True):
                place = file if is_url(file) else os.path.join(path.parent, file)
                yield place, None if label is None else str(label)
            count += len(paths)
    except (pyarrow.ArrowException, OSError) as error:
        problem = str(error).rstrip(".")
        raise DatasetError(f"{path}: not a {path.suffix[1:]} file: {problem}.") from None


def _batches(path: Path) -> Iterator[tuple[list[str], Any]]:
    """Yield the column names together with a batch of rows."""
    import pyarrow
    from pyarrow import csv, parquet

    if path.suffix.lower() == ".parquet":
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _check_columns(path, names)
            wanted = [name for name in ("path", "label") if name in names]
            for batch in file.iter_batches(columns=wanted):
                yield names, batch
        return
    text = {"path": pyarrow.string(), "label": pyarrow.string()}
    options = csv.ConvertOptions(column_types=text, null_values=[""], strings_can_be_null=True)
    # Errors name the row only if a single thread reads.
    alone = csv.ReadOptions(use_threads=False)
    with csv.open_csv(path, alone, convert_options=options) as reader:
        yield reader.schema.names, reader.schema.empty_table()
        for batch in reader:
            yield reader.schema.names, batch


def _check_columns(path: Path, names: list[str]) -> None:
    for name in ("path", "label"):
        if names.count(name) > 1:
            raise DatasetError(f"{path}: duplicate column {name!r}. Remove one.")
    if "path" not in names:
        raise DatasetError(
            f"{path}: the column 'path' is missing. A manifest has the columns path and, for "
            f"labeled images, label; this one has: {', '.join(names) or 'none'}."
        )
