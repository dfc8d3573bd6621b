"""Shell completion of names."""

from typing import Any


def complete_recipe(incomplete: str) -> list[str]:
    """List the recipes that begin with these letters, for shell completion."""
    return _complete("pipelines", incomplete)


def complete_dataset(incomplete: str) -> list[str]:
    """List the data sets that begin with these letters, for shell completion."""
    return _complete("datasets", incomplete)


def _complete(kind: Any, incomplete: str) -> list[str]:
    # Here, since help needs no YAML.
    from featx.io import bundled

    return [name for name in bundled.names(kind) if name.startswith(incomplete)]
