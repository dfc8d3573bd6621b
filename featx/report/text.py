"""Display names of files, classes and features."""

import unicodedata
from typing import Any

from featx.io.writing import as_text

_LONGEST = 40  # maximum number of characters of a name in a drawing
#: Formulas of the statistics of the last map V.
_WRITTEN = {
    "mean_square": "mean(V²)",
    "mean_absolute": "mean |V|",
    "log_energy": "ln mean(V²)",
    "energy_ratio": "mean(V²) / energy of the first map",
    "mean": "mean(V)",
}
#: Unicode marks that change the text direction.
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown(text: str) -> str:
    r"""Escape control characters, direction marks and lone surrogates, such as ``\x1b``."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS
        else character
        for character in text
    )


def name_of(image: Any) -> str:
    """Return the path of an image as text, or "the image" for an array."""
    is_path = isinstance(image, str | bytes) or hasattr(image, "__fspath__")
    return as_text(image) if is_path else "the image"


def short(text: str) -> str:
    """Return a name shortened to fit into a drawing."""
    text = shown(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def number_name(feature: str) -> str:
    """Return the formula of a feature, such as mean(V²) of the last map V, or its name."""
    for statistic, written in _WRITTEN.items():
        if feature.endswith(f"_{statistic}"):
            return written
    return short(feature.replace("_", " "))
