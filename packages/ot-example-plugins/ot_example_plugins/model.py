"""A model."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor, nn

from offline_trainer_core import Interval, PositiveFloat, PositiveInt


class FourierMLP(nn.Module):
    """Policy for controllers with sharp switches: an MLP on random Fourier features of the observation.

    Shapes: `(B, in_features)` to `(B, out_features)`. A larger `bandwidth` fits faster changes, and noise.
    Source: Tancik et al. 2020, "Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional
    Domains".
    """

    frequencies: Tensor

    def __init__(
        self,
        in_features: PositiveInt,
        out_features: PositiveInt,
        hidden: Annotated[int, Interval(ge=2)] = 128,
        bandwidth: PositiveFloat = 0.5,
    ) -> None:
        super().__init__()
        self.register_buffer("frequencies", bandwidth * torch.randn(in_features, hidden // 2))
        self.net = nn.Sequential(
            nn.Linear(2 * (hidden // 2), hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, out_features),
        )

    def forward(self, observation: Tensor) -> Tensor:
        phase = 2 * math.pi * observation @ self.frequencies
        action: Tensor = self.net(torch.cat([phase.sin(), phase.cos()], dim=-1))
        return action
