"""Text on a grid of cells, as terminals show it: how wide it is, where it breaks, a window on a long line."""

from __future__ import annotations

import re

__all__ = ["printable", "width", "window", "wrapped"]

_TAB = " " * 4
_HARMFUL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What steers a terminal, turns the order of the text around, or cannot be encoded."""
_JOINER, _EMOJI_STYLE = "\u200d", "\ufe0f"


def printable(text: str) -> str:
    """Return `text` with every tab as four spaces, and a replacement for every character that steers a terminal."""
    return _HARMFUL.sub("\ufffd", text.replace("\t", _TAB))


def width(text: str) -> int:
    """Return how many cells `text` takes: two for a wide character, none for one that combines with another."""
    return len(text) if text.isascii() else sum(_widths(text))


def _widths(text: str) -> list[int]:
    from unicodedata import category, east_asian_width

    widths: list[int] = []
    before = ""
    for character in text:
        if character == _EMOJI_STYLE and widths:
            widths.append(2 - widths[-1] if widths[-1] == 1 else 0)
        elif before == _JOINER or category(character) in ("Mn", "Me", "Cf"):
            widths.append(0)
        else:
            widths.append(2 if east_asian_width(character) in "WF" else 1)
        before = character
    return widths


def wrapped(text: str, columns: int | None, indent: int) -> list[str]:
    """Return `text` as lines of at most `columns` cells, broken between words; all but the first are indented.

    A word that is longer than a line stays whole, so that paths and commands can be copied.
    """
    if columns is None or width(text) <= columns:
        return [text]
    line, *words = text.split(" ")
    lines = []
    for word in words:
        if line.strip() and width(f"{line} {word}") > columns:
            lines.append(line)
            line = " " * indent + word
        else:
            line = f"{line} {word}"
    return [*lines, line]


def window(text: str, start: int, end: int, columns: int | None) -> tuple[str, int]:
    """Return the part of `text` around the cells from `start` to `end` that `columns` cells can show.

    `…` stands for what is left out. Also returns how many cells further left the rest now begins.
    """
    if columns is None or width(text) <= columns:
        return text, 0
    first = max(0, min(start - columns // 3, width(text) - columns))
    first = max(first, min(start - 1, end - columns + 1)) if first else 0
    shown, position, offset = "", 0, 0
    for character, cells in zip(text, _widths(text), strict=True):
        if position < first + (first > 0):
            offset = position + cells
        elif position + cells <= first + columns - 1 or position + cells == width(text) <= first + columns:
            shown += character
        position += cells
    left, right = "…" if first else "", "…" if width(text) > first + columns else ""
    return f"{left}{shown}{right}", offset - len(left)
