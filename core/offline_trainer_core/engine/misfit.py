"""Whether the weights of a checkpoint fit a model, asked before anything is taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from offline_trainer_core.errors import CheckpointError

__all__ = ["refuse_misfit"]

_MOST = 8
"""Parameters that a message names."""
_WAYS_ON = (
    "\nundo the change of the model; or begin another run, under another run.name and without --resume, in which the "
    "components that still fit start from it: 'weights: <the checkpoint>'"
)


def refuse_misfit(parts: Mapping[str, Any], state: Mapping[str, Any], source: object) -> None:
    """Raise `CheckpointError` that names every tensor of a model whose shape is another in the checkpoint."""
    for name, part in parts.items():
        if name in state and isinstance(part, nn.Module):
            found = list(_misfits(part.state_dict(), state[name]))
            if found:
                more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
                raise CheckpointError("\n  ".join([_what(name, source), *found[:_MOST], *more]) + _WAYS_ON)


def _misfits(here: Mapping[str, Any], saved: Mapping[str, Any]) -> Iterator[str]:
    for key in [*here, *(key for key in saved if key not in here)]:
        shape, other = (_shape(state.get(key)) for state in (saved, here))
        if shape != other:
            yield f"{key}: {shape} in the checkpoint, {other} here"


def _shape(tensor: Any) -> str:
    return "none" if tensor is None else str(tuple(getattr(tensor, "shape", ())))


def _what(name: str, source: object) -> str:
    kind, _, model = name.partition(".")
    return f"{source} does not fit the model '{model}':" if kind == "models" else f"{source} does not fit the {name}:"
