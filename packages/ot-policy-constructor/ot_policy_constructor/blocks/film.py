"""Feature-wise conditioning."""

from __future__ import annotations

from torch import Tensor, nn

from offline_trainer_core import PositiveInt


class FiLM(nn.Module):
    """Feature-wise linear modulation (Perez et al. 2018): `x (..., C, *S)` and `context (..., D)` to `x`'s shape.

    A linear layer makes a scale and a bias for every channel from the context, and gives `x * (1 + scale) + bias`: it
    begins near the identity. `S` may be nothing (vectors), a length, or a height and width; the context has the same
    leading dimensions. Null for `context_dim` takes it from the first batch.
    """

    def __init__(self, channels: PositiveInt, context_dim: PositiveInt | None = None) -> None:
        super().__init__()
        if context_dim is None:
            self.linear: nn.Linear = nn.LazyLinear(2 * channels)
        else:
            self.linear = nn.Linear(context_dim, 2 * channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Return `x`, scaled and shifted channel by channel."""
        modulation: Tensor = self.linear(context)
        modulation = modulation.view(*modulation.shape, *[1] * (x.ndim - context.ndim))
        scale, bias = modulation.chunk(2, context.ndim - 1)
        return x * (1 + scale) + bias
