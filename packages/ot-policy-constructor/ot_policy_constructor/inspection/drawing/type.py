"""How text is set: sizes, and the room that it takes."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["LEADING", "SIZES", "font", "width_of"]

SIZES = {"title": 14.0, "box": 11.0, "name": 10.0, "text": 8.5}
LEADING = 1.4
"""Lines are this many times their size apart."""
_FAMILIES = ["DejaVu Sans", "sans-serif"]
"""The first comes with matplotlib; a viewer of an .svg without it takes its own."""


@cache
def font(style: str, bold: bool) -> Any:
    """Return the font of one of `SIZES`."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=_FAMILIES, size=SIZES[style], weight="bold" if bold else "normal")


@cache
def width_of(text: str, style: str, bold: bool = False) -> float:
    """Return the width of a line in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, prop=font(style, bold)).get_extents().width) if text.strip() else 0.0
