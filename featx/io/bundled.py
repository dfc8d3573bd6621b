"""The recipes and data-set cards that come with featx."""

from pathlib import Path
from typing import Literal

import yaml

Kind = Literal["pipelines", "datasets"]


def folder(kind: Kind) -> Path:
    """Tell where they lie: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "_bundled" / kind
    return inside if inside.is_dir() else package.parent / kind


def names(kind: Kind) -> list[str]:
    """List their names."""
    return sorted(path.stem for path in folder(kind).glob("*.yaml"))


def titles(kind: Kind) -> dict[str, str]:
    """Give their titles, without looking at the rest."""
    files = {name: folder(kind) / f"{name}.yaml" for name in names(kind)}
    return {name: yaml.safe_load(file.read_bytes())["title"] for name, file in files.items()}


def find(kind: Kind, name: str) -> Path | None:
    """Find one by its name."""
    return folder(kind) / f"{name}.yaml" if name in names(kind) else None
