"""What updates return, kept on the device until it is time to log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from offline_trainer_core.distributed import Collectives, agree_on_names

__all__ = ["LogWindow", "to_floats"]


class LogWindow:
    """Collects the logs of updates and reads their means, over the window and over the processes, in one transfer."""

    def __init__(self, collectives: Collectives, device: torch.device | str = "cpu") -> None:
        """`device` is where the run computes, and where the means are."""
        self._collectives = collectives
        self._device = device
        self._values: dict[str, list[Any]] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing was added since the last read."""
        return not self._values

    def add(self, logs: Mapping[str, Any]) -> None:
        """Keep `logs` (0-d tensors, or numbers), detached, without reading them."""
        values = self._values
        for name, value in logs.items():
            kept = value.detach() if isinstance(value, torch.Tensor) else value
            if name in values:
                values[name].append(kept)
            else:
                values[name] = [kept]

    def read(self) -> dict[str, float]:
        """Return the mean of every value since the last read, and begin anew."""
        values, self._values = self._values, {}
        if not values:
            return {}
        names = agree_on_names(values, "values", self._collectives)
        means = torch.stack([self._stacked(values[name]).mean() for name in names])
        total = self._collectives.all_reduce_sum(means) / self._collectives.world_size
        read = dict(zip(names, total.tolist(), strict=True))
        return {name: read[name] for name in values}

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {name: self._stacked(column) for name, column in self._values.items()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        self._values = {name: list(column.to(self._device)) for name, column in state.items()}

    def _stacked(self, column: list[Any]) -> torch.Tensor:
        return torch.stack([torch.as_tensor(value, dtype=torch.float32, device=self._device) for value in column])


def to_floats(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return `metrics` as Python numbers."""
    return {name: float(value) for name, value in metrics.items()}
