"""How much noise there is at each step of a diffusion."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["CosineSchedule"]


class CosineSchedule:
    """The squared-cosine schedule: at step k of 0 to K - 1, `x = signal actions + amount epsilon`.

    `schedule[k]` is (signal, amount). Source: Nichol & Dhariwal 2021, equation 17, with their offset 0.008 and no step
    that removes more than 0.999 of the variance.
    """

    def __init__(self, steps: int) -> None:
        def remaining(k: int) -> float:
            return math.cos((k / steps + 0.008) / 1.008 * math.pi / 2) ** 2

        variance, self._levels = 1.0, []
        for k in range(steps):
            variance *= max(remaining(k + 1) / remaining(k), 1 - 0.999)
            self._levels.append((math.sqrt(variance), math.sqrt(1 - variance)))
        self._table = torch.tensor(self._levels)

    def __getitem__(self, k: int) -> tuple[float, float]:
        return self._levels[k]

    def at(self, k: Tensor) -> tuple[Tensor, Tensor]:
        """Return signal and amount at the steps `k` `(B,)`, on their device."""
        self._table = self._table.to(k.device)
        signal, amount = self._table[k].unbind(-1)
        return signal, amount
