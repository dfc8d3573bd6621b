"""Access to the recipes and data-set cards bundled with featx."""

from pathlib import Path
from typing import Literal

import yaml

Kind = Literal["pipelines", "datasets"]


def folder(kind: Kind) -> Path:
    """Return their folder: inside an installed package, beside the package in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "_bundled" / kind
    return inside if inside.is_dir() else package.parent / kind


def names(kind: Kind) -> list[str]:
    """Return their names in alphabetical order."""
    return sorted(path.stem for path in folder(kind).glob("*.yaml"))


def titles(kind: Kind) -> dict[str, str]:
    """Return their titles by name, without validating the files."""
    files = {name: folder(kind) / f"{name}.yaml" for name in names(kind)}
    return {name: yaml.safe_load(file.read_bytes())["title"] for name, file in files.items()}


def find(kind: Kind, name: str) -> Path | None:
    """Return the path of one by its name, or None if it does not exist."""
    return folder(kind) / f"{name}.yaml" if name in names(kind) else None
