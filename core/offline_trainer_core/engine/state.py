"""What is saved is what is loaded: one list of named parts, used in both directions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from offline_trainer_core.engine.misfit import refuse_misfit
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.types import TrainState

__all__ = ["Counters", "Difference", "gather", "is_stateful", "restore"]

log = logging.getLogger(__name__)

REPLACEABLE = ("callbacks.", "plugins.", "metrics.", "train_metrics.", "loggers.", "evaluations.")
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


class Difference(NamedTuple):
    """Parts that are not in both a checkpoint and the run that goes on from it."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


def restore(parts: Mapping[str, Any], state: Mapping[str, Any], source: object) -> Difference:
    """Give every part its state back; return which parts came and went.

    Raises `CheckpointError` that names what the checkpoint lacks or has too much, except for parts that may come and
    go.
    """
    added = _insist(parts.keys() - state.keys(), "has no state of", source)
    removed = _insist(state.keys() - parts.keys(), "has the state of, which this run has not,", source)
    refuse_misfit(parts, state, source)
    for name, part in parts.items():
        if name in added:
            continue
        try:
            part.load_state_dict(state[name])
        except Exception as error:
            raise CheckpointError(f"{source}: the state of '{name}' does not fit this run: {error}") from error
    return Difference(added, removed)


def _insist(names: Iterable[str], what: str, source: object) -> tuple[str, ...]:
    names = tuple(sorted(names))
    required = [name for name in names if not name.startswith(REPLACEABLE)]
    if required:
        raise CheckpointError(f"{source} {what} {', '.join(required)}: it is of another model or algorithm")
    for name in names:
        log.warning("%s %s %s", source, what, name)
    return names
