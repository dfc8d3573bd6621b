"""The libraries that draw are an extra: whether they are installed."""

from importlib.util import find_spec

from featx.core.errors import MissingDependencyError


def require(*libraries: str) -> None:
    """Raise `ImportError`, in one clear line, before any work, unless the libraries are there."""
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        raise MissingDependencyError(
            f"Reports need {' and '.join(missing)}, which are not installed. To install them: "
            "pip install 'featx[report]'"
        )
