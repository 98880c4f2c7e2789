"""A callback."""

from __future__ import annotations

import time
from typing import Any

from offline_trainer_core import NonNegativeFloat, PositiveInt


class TimeLimit:
    """Ends a run in good order before a cluster's deadline does: it saves its state and stops after `minutes`.

    The clock starts with the process's first step and is read every `every_n_steps` steps.
    """

    def __init__(self, minutes: NonNegativeFloat, every_n_steps: PositiveInt = 10) -> None:
        self.minutes = minutes
        self.every_n_steps = every_n_steps

    def on_fit_start(self) -> None:
        self.deadline = time.monotonic() + 60 * self.minutes

    def on_train_step_end(self, context: Any) -> None:
        # Clocks differ between processes, and all of them must stop at the same step.
        if context.due(self.every_n_steps) and context.collectives.any(time.monotonic() > self.deadline):
            context.stop(f"the time limit of {self.minutes:g} minutes", resumable=True)
