"""Names of files and classes, which may hold anything, as they are shown."""

import unicodedata
from typing import Any

from featx.io.writing import as_text

_LONGEST = 40  # characters of a name in a drawing
#: Statistics of the last map, V, as they are written.
_WRITTEN = {
    "mean_square": "mean(V²)",
    "mean_absolute": "mean |V|",
    "log_energy": "ln mean(V²)",
    "energy_ratio": "mean(V²) over the energy of the first map",
    "mean": "mean(V)",
}
#: Marks that change the direction of what comes after them.
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown(text: str) -> str:
    r"""Give text with its control characters, and what is no character, as ``\x1b``."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS
        else character
        for character in text
    )


def name_of(image: Any) -> str:
    """Name an image that is a path; others have no name."""
    is_path = isinstance(image, str | bytes) or hasattr(image, "__fspath__")
    return as_text(image) if is_path else "the image"


def short(text: str) -> str:
    """Give a name that fits into a drawing."""
    text = shown(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def number_name(feature: str) -> str:
    """Name a single number as a student writes it: of the last map V, such as mean(V²)."""
    for statistic, written in _WRITTEN.items():
        if feature.endswith(f"_{statistic}"):
            return written
    return short(feature.replace("_", " "))
