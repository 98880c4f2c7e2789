"""What `ot check` may know of the algorithms without importing them: the models and the batch fields that they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offline_trainer_core import join_path

__all__ = ["TRANSITION"]

TRANSITION = ("observation", "action", "reward", "next_observation", "terminated")
"""The fields of a logged transition, in Minari's terms."""


@dataclass
class Reading:
    """What a reader hands back."""

    reports: tuple[str, ...]
    reads: list[tuple[str, str, Any]]
    problems: list[tuple[str, str, str, str | None]] = field(default_factory=list)


def read_td3_bc(arguments: Mapping[str, Any]) -> Reading:
    """Read where `algo.td3_bc` finds its transitions; its models are `actor` and `critic`."""
    given = arguments.get("fields")
    fields = given if isinstance(given, Mapping) else {}
    reads: list[tuple[str, str, Any]] = [("", "models", [name]) for name in ("actor", "critic")]
    reads += [(join_path("fields", name), "batch", path) for name, path in fields.items() if name in TRANSITION]
    reads += [("", "batch", name) for name in TRANSITION if name not in fields]
    return Reading(("imitation_loss", "q"), reads, [_unknown(name) for name in fields if name not in TRANSITION])


def _unknown(name: str) -> tuple[str, str, str, str | None]:
    # Only who makes a mistake pays for this import.
    from offline_trainer_core.spelling import nearest

    message = f"a transition has no '{name}', but {', '.join(TRANSITION)}"
    return join_path("fields", name), "unknown-key", message, nearest(name, TRANSITION)
