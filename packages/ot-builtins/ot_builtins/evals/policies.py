"""Policies that need no training, to compare a trained one with."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from offline_trainer_core.errors import ComponentError

__all__ = ["RandomPolicy"]


class RandomPolicy:
    """Draws actions from the environment's action space, whatever it observes: the score that costs nothing.

    Row i of a batch is drawn with the seed `seed + i` of the last `reset(seed)`, so that an episode goes the same way
    whatever it is batched with.
    """

    def __init__(self) -> None:
        self._space: Any = None
        self._seed = 0
        self._rows: list[Any] = []

    def attach(self, env: Any) -> None:
        """Take the action space of `env`, a `gymnasium.Env`; called before the first episode."""
        self._space = env.action_space

    def reset(self, seed: int) -> None:
        """Begin a batch of episodes."""
        self._seed, self._rows = seed, []

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Return one action per row of the observation, `(B, ...)`."""
        if self._space is None:
            raise ComponentError(
                "policy.random has no environment to act in; it serves as a baseline of eval.gymnasium"
            )
        count = len(next(iter(observation.values())))
        while len(self._rows) < count:
            space = deepcopy(self._space)
            space.seed(self._seed + len(self._rows))
            self._rows.append(space)
        return torch.as_tensor(np.stack([space.sample() for space in self._rows[:count]]))
