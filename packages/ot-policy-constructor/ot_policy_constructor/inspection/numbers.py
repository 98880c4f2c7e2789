"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["megabytes", "short", "times"]

_UNITS = (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


def short(number: int) -> str:
    """Return `number` with four digits that count: `501.8 k`, `2.113 G`; below a thousand it is exact."""
    for unit, size in _UNITS:
        if number >= size:
            return f"{number / size:.4g} {unit}" if number < 999.95 * size else f"{number / size:.0f} {unit}"
    return str(number)


def megabytes(size: int) -> str:
    """Return `size` bytes in MB of a million bytes."""
    return f"{size / 1e6:,.3f}" if size else "0"


def times(number: int) -> str:
    """Return how often something happened, in words."""
    return "once" if number == 1 else f"{number:,} times"
