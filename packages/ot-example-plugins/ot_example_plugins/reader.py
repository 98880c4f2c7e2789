"""Readers: what can be said about components before torch is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

KEYS = ("sizes", "activation")
FIELDS = ("observation", "action", "reward", "next_observation", "terminated", "truncated")


@dataclass
class Reading:
    """What `ot check` learns. Each attribute may be left out; None stands for what cannot be told."""

    inputs: tuple[str, ...] | None = None
    """A model: what it is called with."""
    fields: tuple[str, ...] | None = None
    """Data: what a batch has."""
    calls: tuple[int, dict[str, str]] | None = None
    """An io: with how many positional arguments it calls the model, and where it names which keyword arguments."""
    reads: list[tuple[str, str, Any]] = field(default_factory=list)
    """What is read from others: (where it is named, source, path)."""
    references: list[tuple[str, str]] = field(default_factory=list)
    """Components that the arguments name outside of specs: (where, key)."""
    problems: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    """What is wrong: (where, code, message, suggestion)."""


def read_demonstrations(arguments: Mapping[str, Any]) -> Reading:
    """What a batch of `data.examples.demonstrations` has."""
    return Reading(fields=FIELDS)


def read_concatenate(arguments: Mapping[str, Any]) -> Reading:
    """What `io.examples.concatenate` reads from a batch; it calls the model with one vector."""
    fields, target = arguments.get("fields"), arguments.get("target", "action")
    reads = [
        (f"fields[{index}]", "batch", name) for index, name in enumerate(fields if isinstance(fields, list) else ())
    ]
    return Reading(calls=(1, {}), reads=[*reads, ("target", "batch", target)])


def read_log_cosh(arguments: Mapping[str, Any]) -> Reading:
    """The mask that `loss.examples.log_cosh` reads from a batch."""
    return Reading(reads=[("mask_path", "batch", arguments.get("mask_path"))])


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
