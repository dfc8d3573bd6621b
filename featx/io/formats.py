"""Format numbers and version checks of the files that featx writes."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import featx


def stamp(number: int) -> dict[str, Any]:
    """Return the format number and the featx version, as metadata of a file."""
    return {"format": number, "featx_version": featx.__version__}


def version_of(about: Mapping[str, Any]) -> str:
    """Return the featx version that wrote a file, sanitized for error messages."""
    return "".join(filter(str.isprintable, str(about.get("featx_version"))[:40]))


def check_format(
    where: str | Path, about: Mapping[str, Any], newest: int, error: type[Exception]
) -> None:
    """Raise ``error`` if the format of a file is newer than ``newest``."""
    if about["format"] > newest:
        known = "format 1" if newest == 1 else f"formats 1 to {newest}"
        raise error(
            f"{where}: written by featx {version_of(about)} in format {about['format']}, but this "
            f"version, featx {featx.__version__}, reads only {known}. Upgrade featx: pip install "
            "--upgrade featx."
        )


def parameter_problems(owner: str, stored: Collection[str], known: Collection[str]) -> list[str]:
    """List the stored parameters that the stage does not have, and its missing parameters."""
    gone = [f"{owner} has no parameter {name!r}" for name in stored if name not in known]
    missing = [
        f"a value for the parameter {name!r} of {owner} is missing"
        for name in known
        if name not in stored
    ]
    return gone + missing
