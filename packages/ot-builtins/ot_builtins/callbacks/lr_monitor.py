"""The learning rate of every parameter group."""

from __future__ import annotations

from typing import Any

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import PositiveInt

__all__ = ["LrMonitor"]


class LrMonitor:
    """Logs the learning rate of every parameter group of every optimizer, every `every_n_steps` optimizer steps.

    The names are `lr/<optimizer>/<group>`; a group's name is its `name`, else its index.
    """

    harmless = True

    def __init__(self, every_n_steps: PositiveInt = 50) -> None:
        if every_n_steps < 1:
            raise ComponentError(f"cb.lr_monitor: every_n_steps is at least 1, not {every_n_steps}")
        self.every_n_steps = every_n_steps

    def on_train_step_end(self, context: Any) -> None:
        if context.due(self.every_n_steps):
            context.log(_rates(context.optimizers))


def _rates(optimizers: dict[str, Any]) -> dict[str, float]:
    return {
        f"lr/{name}/{group.get('name', index)}": float(group["lr"])
        for name, optimizer in optimizers.items()
        for index, group in enumerate(optimizer.param_groups)
    }
