"""The multilayer perceptron whose layers are added to what they see."""

from __future__ import annotations

from torch import Tensor, nn

from offline_trainer_core import PositiveInt, UnitInterval
from ot_policy_constructor.blocks.activation import Activation, make_activation


class ResidualMLP(nn.Sequential):
    """Residual fully connected network (Hansen-Estruch et al. 2023, IDQL): `(..., in_features)` to `(...,
    out_features)`.

    A linear layer to `width` features; `depth` blocks `x + linear(activation(linear(norm(dropout(x)))))` that are
    `expansion * width` wide inside, with layer norm; the activation, and a linear layer. Where a plain `block.mlp` has
    to learn to pass on what it is given, such as a noisy action, this one does so from the first step. Null for
    `in_features` takes it from the first batch. `activation` is the name of a torch class; raises `ValueError` on an
    unknown one.
    """

    def __init__(
        self,
        in_features: PositiveInt | None,
        out_features: PositiveInt,
        width: PositiveInt = 256,
        depth: PositiveInt = 3,
        expansion: PositiveInt = 4,
        activation: Activation = "Mish",
        dropout: UnitInterval = 0.0,
    ) -> None:
        first = nn.LazyLinear(width) if in_features is None else nn.Linear(in_features, width)
        blocks = [ResidualBlock(width, expansion * width, activation, dropout) for _ in range(depth)]
        super().__init__(first, *blocks, make_activation(activation), nn.Linear(width, out_features))


class ResidualBlock(nn.Module):
    """`x + linear(activation(linear(norm(dropout(x)))))`, for `x (..., features)`, `hidden` wide inside."""

    def __init__(self, features: int, hidden: int, activation: Activation, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(features)
        self.layers = nn.Sequential(
            nn.Linear(features, hidden), make_activation(activation), nn.Linear(hidden, features)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return `x (..., features)` and what the layers add to it."""
        out: Tensor = x + self.layers(self.norm(self.dropout(x)))
        return out
