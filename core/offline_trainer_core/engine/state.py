"""What is saved is what is loaded: one list of named parts, used in both directions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from offline_trainer_core.engine.misfit import refuse_misfit
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.types import TrainState

__all__ = ["Counters", "gather", "is_stateful", "restore"]

log = logging.getLogger(__name__)

REPLACEABLE = ("callbacks.", "metrics.", "loggers.", "evaluations.")
"""Parts that may be added to, or removed from, a run that is resumed; it is said, by name."""


class Counters:
    """Gives a `TrainState` the two methods of everything that is saved."""

    def __init__(self, state: TrainState) -> None:
        self._state = state

    def state_dict(self) -> dict[str, int]:
        return asdict(self._state)

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        for name, value in state.items():
            setattr(self._state, name, value)


def is_stateful(part: object) -> bool:
    """Whether `part` has state to save."""
    return hasattr(part, "state_dict") and hasattr(part, "load_state_dict")


def gather(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of every part, by name."""
    return {name: part.state_dict() for name, part in parts.items()}


def restore(parts: Mapping[str, Any], state: Mapping[str, Any], source: object) -> None:
    """Give every part its state back.

    Raises `CheckpointError` that names what the checkpoint lacks or has too much, except for parts that may come and
    go.
    """
    missing = _insist(parts.keys() - state.keys(), "has no state of", source)
    _insist(state.keys() - parts.keys(), "has the state of, which this run has not,", source)
    refuse_misfit(parts, state, source)
    for name, part in parts.items():
        if name in missing:
            continue
        try:
            part.load_state_dict(state[name])
        except Exception as error:
            raise CheckpointError(f"{source}: the state of '{name}' does not fit this run: {error}") from error


def _insist(names: Iterable[str], what: str, source: object) -> set[str]:
    names = set(names)
    required = sorted(name for name in names if not name.startswith(REPLACEABLE))
    if required:
        raise CheckpointError(f"{source} {what} {', '.join(required)}: it is of another model or algorithm")
    for name in sorted(names):
        log.warning("%s %s %s", source, what, name)
    return names
