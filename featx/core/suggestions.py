"""Suggestions for misspelled names."""

from difflib import get_close_matches


def nearest(word: str, known: list[str]) -> str:
    """Return a sentence that suggests the nearest known word, or lists all of them."""
    lower = {one.lower(): one for one in known}
    close = get_close_matches(word.lower(), list(lower), n=1, cutoff=0.6)
    return f"Did you mean {lower[close[0]]}?" if close else f"Known: {', '.join(known)}."
