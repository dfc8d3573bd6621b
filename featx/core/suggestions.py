"""The nearest valid name to one that is misspelt."""

from difflib import get_close_matches


def nearest(word: str, known: list[str]) -> str:
    """Say which known word is meant, or list them all."""
    lower = {one.lower(): one for one in known}
    close = get_close_matches(word.lower(), list(lower), n=1, cutoff=0.6)
    return f"Did you mean {lower[close[0]]}?" if close else f"Known: {', '.join(known)}."
