"""The time of a flow or a diffusion as a vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from offline_trainer_core import PositiveFloat, PositiveInt


class TimeEmbedding(nn.Module):
    """Sines and cosines of a time in [0, 1]: `(...)` to `(..., dim)`, the sines first.

    The periods go from `min_period` to `max_period` in equal ratios; those of pi-0 (Black et al. 2024) are the default.
    Nothing is learned: a `block.mlp` usually follows. Raises `ValueError` on a `dim` that is odd or below 4.
    """

    def __init__(self, dim: PositiveInt, min_period: PositiveFloat = 4e-3, max_period: PositiveFloat = 4.0) -> None:
        super().__init__()
        if dim % 2 or dim < 4:
            raise ValueError(f"a time embedding needs an even 'dim' of at least 4, not {dim}")
        fraction = torch.linspace(0, 1, dim // 2, dtype=torch.float64)
        period = min_period * (max_period / min_period) ** fraction
        self.register_buffer("frequency", (2 * math.pi / period).float(), persistent=False)
        self.frequency: Tensor

    def forward(self, time: Tensor) -> Tensor:
        """Return `[sin(2 pi t / period), cos(2 pi t / period)]` for every period."""
        phase = time[..., None] * self.frequency
        return torch.cat([phase.sin(), phase.cos()], -1)
