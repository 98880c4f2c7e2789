"""Did you mean: the known word nearest to one that is not known, and known words as a line of a message."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

__all__ = ["did_you_mean", "listing", "nearest"]

_MOST_NAMES = 1000
"""A longer list is data; comparing a word with all of it would take longer than the reader waits."""
_LONGEST_WORD = 200


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `word` was probably meant to be, in any case of letters, or None."""
    first = list(islice(names, _MOST_NAMES + 1))
    if len(first) > _MOST_NAMES or len(word) > _LONGEST_WORD:
        return None
    # Only who makes a mistake pays for this import.
    from difflib import get_close_matches

    by_folded = {name.casefold(): name for name in sorted(first, reverse=True) if len(name) <= _LONGEST_WORD}
    found = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` with the nearest of `names`, or nothing: the end of a message."""
    name = nearest(word, names)
    return f"; did you mean '{name}'?" if name else ""


def listing(names: Iterable[str], most: int = 12) -> str | None:
    """Return `names` as one line for `Problem.allowed`, cut after `most` of them; None if there are none."""
    shown = list(names)
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "") if shown else None
