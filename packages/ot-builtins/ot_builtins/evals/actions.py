"""What an environment gets of a policy."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from offline_trainer_core.errors import ComponentError

__all__ = ["plan_of", "to_space"]


def plan_of(output: Tensor, space: Any, envs: int, horizon: int | None) -> np.ndarray:
    """Return the next actions of every environment, `(B, T, ...)`, of a policy's output.

    The output is one action each, `(B, ...)`, or a chunk each, `(B, T, ...)`, of which the first `horizon` steps are
    kept (all without one). Raises `ComponentError` where it has another shape or is not finite.
    """
    actions = output.detach().cpu().numpy()
    single = actions.shape == (envs, *space.shape)
    if single:
        actions = actions[:, None]
    if actions.ndim != 2 + len(space.shape) or (actions.shape[0], *actions.shape[2:]) != (envs, *space.shape):
        raise ComponentError(
            f"the policy's actions have shape {tuple(output.shape)}; for {envs} environments whose actions have shape "
            f"{space.shape} it must be {(envs, *space.shape)}, or {(envs, 'T', *space.shape)} for chunks of T"
        )
    if horizon is not None and not single and horizon > actions.shape[1]:
        raise ComponentError(f"action_horizon is {horizon}, and the policy predicts {actions.shape[1]} steps")
    if not np.isfinite(actions).all():
        raise ComponentError(
            "the policy's actions are not finite: look at its weights, its inputs and the normalization"
        )
    return actions[:, :horizon]


def to_space(action: np.ndarray, space: Any) -> Any:
    """Return `action` clipped to a box, in the dtype of the space; an integer for a discrete space."""
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        return np.clip(action, space.low, space.high).astype(space.dtype)
    if isinstance(space, spaces.Discrete):
        return int(action)
    return action.astype(space.dtype)
