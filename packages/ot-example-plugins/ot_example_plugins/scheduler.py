"""A scheduler factory."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from offline_trainer_core import ComponentError, NonNegativeInt, SchedulerBundle, UnitInterval


class WarmupStableDecay:
    """Learning rate that rises for `warmup_steps`, stays, and falls to zero over the last `decay_fraction` of the run.

    The run may be prolonged from any checkpoint of its stable part. The fall is 1 - sqrt. Raises `ComponentError` where
    the length of the run is not known. Source: Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond
    Fixed Training Durations".
    """

    def __init__(self, warmup_steps: NonNegativeInt = 0, decay_fraction: UnitInterval = 0.2) -> None:
        self.warmup_steps = warmup_steps
        self.decay_fraction = decay_fraction

    def build(self, optimizer: Optimizer, *, registry: Any, total_steps: int | None = None) -> SchedulerBundle:
        if total_steps is None:
            raise ComponentError("warmup_stable_decay must know how long the run is: set trainer.max_steps")
        decay_steps = max(1, round(self.decay_fraction * total_steps))

        def factor(step: int) -> float:
            decayed = max(0, step - (total_steps - decay_steps)) / decay_steps
            return min(1.0, (step + 1) / (self.warmup_steps + 1)) * (1 - math.sqrt(min(1.0, decayed)))

        return SchedulerBundle(LambdaLR(optimizer, factor), interval="step")
