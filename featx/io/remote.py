"""Access to files at URLs through fsspec: http, s3 and other installed protocols."""

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from glob import has_magic
from typing import Any

from featx.core.errors import RemoteError

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


def is_url(path: str) -> bool:
    """Return whether ``path`` is a URL."""
    return "://" in path and _URL.match(path) is not None


def in_this_process(path: str) -> bool:
    """Return whether only this process can read a URL (fsspec's memory file system)."""
    return path.startswith("memory://")


def find(url: str) -> Iterator[tuple[str, str, int | None, int | None]]:
    """List the files in the folder at a URL, or those that match a pattern.

    Yields
    ------
    tuple
        URL, path relative to the folder ("" if the URL is not a folder), size and modification
        time of each file.
    """
    files, path = _file_system(url)
    # A web server distinguishes folders from files only by the trailing slash.
    folder = url.endswith("/") if url.startswith("http") else not has_magic(path)
    found_in_folder = False
    try:
        # File systems cache listings, some of them until the process ends.
        files.invalidate_cache()
        if has_magic(path):
            found = files.glob(path, detail=True)
        elif found_in_folder := folder and files.isdir(path):
            found = files.find(path, detail=True)
        else:
            found = {path: files.info(path)}
    # Each file system raises exceptions of its own.
    except Exception as error:
        raise RemoteError(f"{url}: {_problem(error)}.") from None
    for name, info in sorted(found.items()):
        if info.get("type", "file") == "file":
            below = name.removeprefix(path.rstrip("/")).lstrip("/") if found_in_folder else ""
            yield files.unstrip_protocol(name), below, *_size_and_time(info)


def look(url: str) -> tuple[int | None, int | None]:
    """Return size and modification time, None where the server does not report them."""
    files, path = _file_system(url)
    return _size_and_time(files.info(path))


def read(url: str, most: int) -> bytes:
    """Read a file, but at most ``most`` + 1 bytes, whatever size the server reports."""
    files, path = _file_system(url)
    # Stream from web servers: they may not support range requests, or not report the size.
    options = {"block_size": 0} if url.startswith("http") else {}
    content = bytearray()
    with files.open(path, "rb", **options) as file:
        while len(content) <= most and (more := file.read(most + 1 - len(content))):
            content += more
    return bytes(content)


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise RemoteError(
            f"{url}: URLs require fsspec. Install it: pip install 'featx[remote]'"
        ) from None
    try:
        files, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise RemoteError(f"{url}: {_problem(error)}.") from None
    return files, path


def _size_and_time(info: dict[str, Any]) -> tuple[int | None, int | None]:
    for name in ("mtime", "LastModified", "last_modified", "Last-Modified", "created"):
        value = info.get(name)
        if isinstance(value, str):
            value = parsedate_to_datetime(value)
        if isinstance(value, datetime):
            value = value.timestamp()
        if value is not None:
            return info.get("size"), int(value * 10**9)
    return info.get("size"), None


def _problem(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
