"""What is drawn for people: the comparison's page, and what the stages make of an image.

The libraries that draw are an extra, and are imported only where something is drawn.
"""

from importlib.util import find_spec

from featx.report.comparison import as_data, write_comparison
from featx.report.explanation import Explanation, explain, write_explanation
from featx.report.page import page, summary
from featx.report.units import Unit, look_for

__all__ = [
    "Explanation",
    "Unit",
    "as_data",
    "explain",
    "look_for",
    "page",
    "require",
    "summary",
    "write_comparison",
    "write_explanation",
]


def require(*libraries: str) -> None:
    """Raise `ImportError`, in one clear line, before any work, unless the libraries are there."""
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        raise ImportError(
            f"Reports need {' and '.join(missing)}, which are not installed. To install them: "
            "pip install 'featx[report]'"
        )
