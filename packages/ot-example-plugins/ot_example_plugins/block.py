"""A block for models of the policy constructor."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import silu

from offline_trainer_core import PositiveInt


class SwiGLU(nn.Module):
    """Residual block with a gated linear unit: `x + down(silu(gate(n)) * up(n))`, n being x normalized; `(..., dim)`.

    `hidden` is 8/3 of `dim` unless given, which has as many weights as a plain block of four times `dim`.
    Source: Shazeer 2020, "GLU Variants Improve Transformer".
    """

    def __init__(self, dim: PositiveInt, hidden: PositiveInt | None = None) -> None:
        super().__init__()
        hidden = hidden or max(1, round(8 * dim / 3))
        self.norm = nn.RMSNorm(dim)
        self.gate = nn.Linear(dim, hidden, bias=False)
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n = self.norm(x)
        y: Tensor = x + self.down(silu(self.gate(n)) * self.up(n))
        return y
