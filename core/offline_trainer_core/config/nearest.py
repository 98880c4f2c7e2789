"""What the author probably meant."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["listing", "nearest"]


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that looks most like `word`, or None if none does."""
    # Only a config with a mistake pays for this import.
    from difflib import get_close_matches

    found = get_close_matches(word, list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def listing(names: Iterable[str], most: int = 12) -> str | None:
    """Return `names` as one line for `Problem.allowed`, cut after `most` of them; None if there are none."""
    shown = list(names)
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "") if shown else None
