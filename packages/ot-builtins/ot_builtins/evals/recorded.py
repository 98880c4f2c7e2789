"""What was observed and done in recorded windows, and what a policy would have done there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.nest import leaves

__all__ = ["LastActions", "Recorded", "chunks_of", "read_recorded"]


class Recorded(NamedTuple):
    """A batch of windows: what a policy observes, and on the CPU what was done."""

    observation: Mapping[str, Tensor]
    actions: Tensor
    """`(B, T, A)`; T is 1 where the data has single actions."""
    padding: Tensor
    """`(B, T)`, True for steps outside the episode."""
    action_shape: tuple[int, ...]
    """Of one action in the data."""


def read_recorded(batch: Any, field: str) -> Recorded:
    """Take a batch apart: the actions lie in `field`, and every other tensor is observed.

    Raises `DataError` where the batch has no such field.
    """
    fields = {".".join(map(str, path)): leaf for path, leaf in leaves(batch) if isinstance(leaf, Tensor)}
    if field not in fields:
        raise DataError(f"eval.open_loop: a batch has no field '{field}', but {', '.join(fields) or 'no tensors'}")
    actions, mask = fields.pop(field).detach().cpu().double(), fields.pop(f"{field}_is_pad", None)
    if mask is None and actions.ndim < 3:
        actions = actions[:, None]
    padding = torch.zeros(actions.shape[:2], dtype=torch.bool) if mask is None else mask.cpu().bool()
    shape = tuple(actions.shape[2:])
    return Recorded(fields, actions.reshape(*padding.shape, -1), padding, shape)


def chunks_of(output: Tensor, recorded: Recorded, horizon: int | None) -> Tensor:
    """Return the first steps `(B, T, A)` of a policy's output, at most `horizon`, and as many as were recorded.

    Raises `ComponentError` where the output is neither an action nor a chunk for every window, or is not finite.
    """
    (rows, steps, _), shape = recorded.actions.shape, recorded.action_shape
    actions = output.detach().cpu().double()
    if tuple(actions.shape) == (rows, *shape):
        actions = actions[:, None]
    if actions.ndim < 2 or (len(actions), *actions.shape[2:]) != (rows, *shape):
        raise ComponentError(
            f"the policy's actions have shape {tuple(output.shape)}; for {rows} windows of actions of shape {shape} it "
            f"must be {(rows, *shape)}, or {(rows, 'T', *shape)} for chunks of T"
        )
    common = min(steps, actions.shape[1])
    if horizon is not None and horizon > common:
        raise ComponentError(f"eval.open_loop: action_horizon is {horizon}, and policy and data share {common} steps")
    if not actions.isfinite().all():
        raise ComponentError(
            "the policy's actions are not finite: look at its weights, its inputs and the normalization"
        )
    return actions[:, : horizon or common].flatten(2) if shape else actions[:, : horizon or common, None]


class LastActions:
    """Knows the action before a chunk: the first one of the window a step earlier in the same episode."""

    def __init__(self) -> None:
        self._seen: dict[Any, tuple[int, Tensor]] = {}
        """Episode → the step of its latest window, and the first action there."""

    def before(self, samples: Sequence[Mapping[str, Any]], actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the actions `(K, 1, A)` before those windows that have one, and which these are `(B,)`.

        `samples` say of which episode and step the windows are, and `actions` `(B, A)` are their first ones. Raises
        `DataError` where they do not say it.
        """
        last: list[Tensor] = []
        known = torch.zeros(len(actions), dtype=torch.bool)
        for row, (sample, action) in enumerate(zip(samples, actions, strict=True)):
            episode, step = _moment(sample)
            latest, before = self._seen.get(episode, (step, action))
            if latest == step - 1:
                last.append(before)
                known[row] = True
            self._seen[episode] = (step, action)
        return torch.stack(last)[:, None] if last else actions.new_empty(0, 1, actions.shape[-1]), known


def _moment(sample: Mapping[str, Any]) -> tuple[Any, int]:
    """Return the episode of a window and the step in it, which recordings with cameras call a frame."""
    step = sample.get("step", sample.get("frame"))
    if step is None or "episode" not in sample:
        raise DataError(f"eval.open_loop needs to know the episode and step of a window; the data only says: {sample}")
    return sample["episode"], int(step)
