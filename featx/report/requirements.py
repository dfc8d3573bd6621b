"""Check of the optional dependencies of reports."""

from importlib.util import find_spec

from featx.core.errors import MissingDependencyError


def require(*libraries: str) -> None:
    """Raise `MissingDependencyError` unless the libraries are installed."""
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        verb, pronoun = ("is", "it") if len(missing) == 1 else ("are", "them")
        raise MissingDependencyError(
            f"report: {' and '.join(missing)} {verb} not installed. Install {pronoun} with: "
            "pip install 'featx[report]'"
        )
