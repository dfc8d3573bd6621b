"""Names of recipes and data sets, and their completion by the shell."""

from typing import Any


def complete_recipe(incomplete: str) -> list[str]:
    """List the recipes that begin with these letters, for shell completion."""
    return _complete("pipelines", incomplete)


def complete_dataset(incomplete: str) -> list[str]:
    """List the data sets that begin with these letters, for shell completion."""
    return _complete("datasets", incomplete)


def bundled_names(kind: Any) -> list[str]:
    """List the recipes or data sets that come with featx."""
    # Here, since help needs no YAML.
    from featx.io import bundled

    return bundled.names(kind)


def _complete(kind: Any, incomplete: str) -> list[str]:
    return [name for name in bundled_names(kind) if name.startswith(incomplete)]
