"""Finds infinite and NaN gradients before the optimizer steps, in the pass that scales them.

On a CPU the verdict is read at once. On an accelerator it stays there: a fused optimizer skips the step by itself, and
the verdict is read at log cadence, so that no step waits for the host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from offline_trainer_core.errors import NonFiniteError

__all__ = ["Guard", "Reaction"]

Reaction = Literal["raise", "skip", "ignore"]


class Guard:
    """Scales gradients and decides whether an optimizer may step."""

    def __init__(self, reaction: Reaction, device: torch.device, where: Callable[[], str]) -> None:
        """`where()` says which batch is being trained on, for the report."""
        self._reaction = reaction
        self._where = where
        self._immediate = device.type == "cpu"
        self._one = torch.ones((), device=device)
        self._bad = torch.zeros((), device=device)
        self._bad_steps = torch.zeros((), device=device)
        self._inverses = {1: self._one}
        self.skipped = 0

    def pass_gradients(self, gradients: list[Tensor], divisor: int, optimizer: Optimizer) -> bool:
        """Divide `gradients` by `divisor`; return whether the optimizer is to be called."""
        if self._reaction == "ignore":
            if divisor != 1:
                torch._foreach_div_(gradients, divisor)
            return True
        if self._reaction == "skip" or self._immediate:
            self._bad.zero_()
        self._scale(gradients, divisor)
        if self._immediate or not getattr(optimizer, "_step_supports_amp_scaling", False):
            return self._judge()
        optimizer.grad_scale, optimizer.found_inf = None, self._bad  # type: ignore[attr-defined]
        self._bad_steps += self._bad
        return True

    def _scale(self, gradients: list[Tensor], divisor: int) -> None:
        inverse = self._inverses.get(divisor)
        if inverse is None:
            inverse = self._inverses[divisor] = self._one / divisor
        if gradients:
            torch._amp_foreach_non_finite_check_and_unscale_(gradients, self._bad, inverse)

    def _judge(self) -> bool:
        if self._bad.item() == 0:
            return True
        if self._reaction == "raise":
            raise NonFiniteError(self._message(self._where()))
        self.skipped += 1
        return False

    def read(self) -> None:
        """Look at what the device found since the last call; raises `NonFiniteError` under `raise`."""
        if self._immediate:
            return
        count = int(self._bad_steps.item())
        if count and self._reaction == "raise":
            raise NonFiniteError(self._message(f"{count} steps before {self._where()}"))
        self.skipped += count
        self._bad_steps.zero_()

    def _message(self, where: str) -> str:
        return (
            f"a gradient became infinite or NaN at {where}; the optimizer has not stepped on it. Lower the learning "
            "rate, set trainer.grad_clip_norm, look for bad values in that batch, or choose trainer.on_nonfinite: skip"
        )
