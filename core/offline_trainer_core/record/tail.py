"""The last lines of a metrics file, found from its end: a file of gigabytes costs no more than a small one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["last_metrics"]

_CHUNK = 1 << 14
_MOST = 1 << 18
"""Bytes that are looked at; what was logged before them is not found."""


def last_metrics(path: Path, name: str = "") -> Iterator[dict[str, Any]]:
    """Yield the complete lines of the end of a metrics file, the last one first; with a `name`, those that have it.

    What is no line of metrics is left out, as is a line that a kill cut short. Raises `OSError` where the file cannot
    be read.
    """
    mark = json.dumps(name).encode() if name else b""
    for line in islice(_pieces_backwards(path), 1, None):
        if mark not in line:
            continue
        try:
            fields = json.loads(line)
        except (RecursionError, ValueError):
            continue
        if isinstance(fields, dict) and type(fields.get("step")) is int and isinstance(fields.get("stage"), str):
            yield fields


def _pieces_backwards(path: Path) -> Iterator[bytes]:
    """Yield what lies between the line breaks, the last first: nothing, or a line that was cut short."""
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        first = max(0, place - _MOST)
        rest = b""
        while place > first:
            start = max(first, place - _CHUNK)
            file.seek(start)
            rest, *pieces = (file.read(place - start) + rest).split(b"\n")
            yield from reversed(pieces)
            place = start
        if first == 0:
            yield rest
