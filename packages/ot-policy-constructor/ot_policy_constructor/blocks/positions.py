"""Positions of the tokens of a sequence."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError, PositiveInt


class Positions(nn.Module):
    """Adds to every token what says its place: `(..., L, dim)` to `(..., L, dim)`, for `L` up to `length`.

    `sinusoidal` are the sines and cosines of Vaswani et al. 2017 (3.5); `learned` is a parameter, as in Dosovitskiy et
    al. 2021. Raises `ComponentError` on a longer sequence, `ValueError` on an odd `dim` for the sinusoidal ones.
    """

    def __init__(
        self, length: PositiveInt, dim: PositiveInt, kind: Literal["learned", "sinusoidal"] = "learned"
    ) -> None:
        super().__init__()
        if kind == "learned":
            self.table: Tensor = nn.Parameter(nn.init.trunc_normal_(torch.empty(length, dim), std=0.02))
        else:
            self.register_buffer("table", sinusoidal_table(length, dim), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with the positions 0, 1, 2, ... added along its last dimension but one."""
        if x.shape[-2] > len(self.table):
            raise ComponentError(
                f"a sequence of {x.shape[-2]} is longer than the {len(self.table)} positions that there are: "
                "'length' ('horizon', of an action transformer) says how many"
            )
        return x + self.table[: x.shape[-2]]


def sinusoidal_table(length: int, dim: int) -> Tensor:
    """Return `sin(p / 10000^(2i / dim))` at `[p, 2i]` and its cosine at `[p, 2i + 1]`: `(length, dim)`."""
    if dim % 2:
        raise ValueError(f"sinusoidal positions need an even 'dim', not {dim}: every sine has its cosine")
    place = torch.arange(length, dtype=torch.float64)[:, None]
    frequency = torch.exp(torch.arange(0, dim, 2, dtype=torch.float64) * (-math.log(10_000) / dim))
    return torch.stack([torch.sin(place * frequency), torch.cos(place * frequency)], -1).flatten(1).float()
