"""Which names may become files and folders of a run."""

from __future__ import annotations

import re

__all__ = ["flaw_of_name"]

_PLAIN = re.compile(r"\w[\w .+=@,~()\[\]-]*")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_LONGEST = 200
"""Bytes; file systems allow 255, and temporary names need a few more than the name."""


def flaw_of_name(name: str) -> str | None:
    """Return why `name` cannot be the name of one file in one folder, or None if it can."""
    if not _PLAIN.fullmatch(name) or name.endswith((" ", ".")):
        return "use letters, digits and any of '_ . + = @ , ~ ( ) [ ] -', beginning with a letter, a digit or '_'"
    if _DEVICE.fullmatch(name):
        return "Windows keeps this name for a device; use another, so that the run can be copied there"
    if len(name.encode()) > _LONGEST:
        return f"use at most {_LONGEST} bytes"
    return None
