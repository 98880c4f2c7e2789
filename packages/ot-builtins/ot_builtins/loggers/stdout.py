"""Metrics as lines of text on the standard output."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from offline_trainer_core.types import PositiveInt

__all__ = ["Stdout"]


class Stdout:
    """Prints one line per report: `step 100  train  loss 0.1234`.

    Training is printed at most every `every_n_steps` optimizer steps; validations and evaluations always are.
    """

    def __init__(self, every_n_steps: PositiveInt = 1) -> None:
        self.every_n_steps = every_n_steps
        self._printed: int | None = None

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        if stage == "train" and not self._due(step):
            return
        values = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        sys.stdout.write(f"step {step:>7}  {stage:<5}  {values}\n")
        sys.stdout.flush()

    def _due(self, step: int) -> bool:
        last = self._printed
        if last is not None and step != last and step - last < self.every_n_steps:
            return False
        self._printed = step
        return True
