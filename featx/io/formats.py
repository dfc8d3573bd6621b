"""Formats of the files that featx writes: each names its format and the version that wrote it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import featx


def stamp(number: int) -> dict[str, Any]:
    """Return what a file of a format says of itself."""
    return {"format": number, "featx_version": featx.__version__}


def version_of(about: Mapping[str, Any]) -> str:
    """Return the version that wrote a file, made harmless for a message."""
    return "".join(filter(str.isprintable, str(about.get("featx_version"))[:40]))


def check_format(
    where: str | Path, about: Mapping[str, Any], newest: int, error: type[Exception]
) -> None:
    """Raise the error if a file has a newer format than the newest that is read here."""
    if about["format"] > newest:
        known = "format 1" if newest == 1 else f"formats 1 to {newest}"
        raise error(
            f"{where}: written by featx {version_of(about)} in format {about['format']}, and this "
            f"is featx {featx.__version__}, which reads {known}. Upgrade featx: pip install "
            "--upgrade featx."
        )


def parameter_problems(owner: str, stored: Collection[str], known: Collection[str]) -> list[str]:
    """List which stored parameters of a stage do not exist, and which of its own are missing."""
    gone = [f"{owner} has no parameter {name!r}" for name in stored if name not in known]
    missing = [
        f"a value for the parameter {name!r} of {owner} is missing"
        for name in known
        if name not in stored
    ]
    return gone + missing
