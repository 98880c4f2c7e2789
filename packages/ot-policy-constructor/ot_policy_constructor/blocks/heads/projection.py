"""The linear layer from features to numbers for every element of an action."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn


def projection(in_features: int | None, shape: Sequence[int]) -> nn.Sequential:
    """Return a linear layer `(..., in_features)` to `(..., *shape)`; null takes `in_features` from the first batch."""
    size = math.prod(shape)
    linear = nn.LazyLinear(size) if in_features is None else nn.Linear(in_features, size)
    return nn.Sequential(linear, nn.Unflatten(-1, tuple(shape)))


def check_action_shape(action_shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape; raises `ValueError` where it is that of neither an action nor a chunk of actions."""
    if len(action_shape) not in (1, 2):
        raise ValueError(f"'action_shape' is [A], or [T, A] for chunks of actions, not {list(action_shape)}")
    return tuple(action_shape)
