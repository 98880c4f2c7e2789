"""A reader: what can be said about a frontend's definition before torch is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

KEYS = ("sizes", "activation")


@dataclass
class Reading:
    """What `ot check` learns from a definition."""

    inputs: tuple[str, ...] | None = None
    """Names of the model's inputs; None if they cannot be known."""
    references: list[tuple[str, str]] = field(default_factory=list)
    """Components that the definition names, and where: (path below the definition, key)."""
    problems: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    """What is wrong: (path below the definition, code, message, suggestion)."""


def read_widths(definition: Mapping[str, Any]) -> Reading:
    """Read `{sizes: [int, int, ...], activation: <name of an nn component>}`."""
    reading = Reading(inputs=("input",))
    if "activation" in definition:
        reading.references.append(("activation", f"nn.{definition['activation']}"))
    for key in definition:
        if key not in KEYS:
            nearest = get_close_matches(key, KEYS, n=1)
            problem = (key, "unknown-key", f"'{key}' is no part of widths", nearest[0] if nearest else None)
            reading.problems.append(problem)
    sizes = definition.get("sizes")
    if not isinstance(sizes, list) or len(sizes) < 2 or not all(type(size) is int and size > 0 for size in sizes):
        message = "'sizes' must list the sizes of the input, of the hidden layers and of the output: [3, 64, 64, 1]"
        reading.problems.append(("sizes", "wrong-type", message, None))
    return reading
