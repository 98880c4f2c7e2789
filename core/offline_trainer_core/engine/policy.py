"""A trained policy as environments and programs see it: raw observations in, raw actions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from offline_trainer_core.engine.normalizer import Normalizer
from offline_trainer_core.errors import ComponentError

__all__ = ["TrainedPolicy"]


class TrainedPolicy:
    """Normalizes an observation, asks the algorithm to act, and gives the action in the units of the data."""

    def __init__(
        self, algorithm: Any, normalizer: Normalizer, device: torch.device, watch: Callable[[], None] = lambda: None
    ) -> None:
        """`watch` is called before every action, and ends an evaluation by what it raises."""
        if not hasattr(algorithm, "act"):
            raise ComponentError(f"{type(algorithm).__name__} has no 'act' method, so its policy cannot be evaluated")
        self._algorithm = algorithm
        self._normalizer = normalizer
        self._device = device
        self._watch = watch

    def reset(self, seed: int | None = None) -> None:
        """Begin new episodes."""
        if hasattr(self._algorithm, "reset"):
            self._algorithm.reset(seed)

    @torch.no_grad()
    def act(self, observation: Mapping[str, Any]) -> Tensor:
        """Map `{field: (B, ...)}` to actions `(B, ...)` or chunks of actions `(B, T, ...)`, on the CPU."""
        self._watch()
        placed = {field: torch.as_tensor(value).to(self._device) for field, value in observation.items()}
        action = self._algorithm.act(self._normalizer.present(placed))
        field = getattr(self._algorithm, "action_field", "action")
        result: Tensor = self._normalizer.denormalize(field, action).float().cpu()
        return result
