"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from offline_trainer_core import PositiveInt, UnitInterval
from ot_policy_constructor.blocks.activation import Activation, Norm, make_activation, make_norm


class MLP(nn.Sequential):
    """Fully connected layers with an activation between them: `(..., dims[0])` to `(..., dims[-1])`.

    Each hidden layer is linear, norm, activation, dropout; the last one is linear alone. `dims` has the sizes of the
    input, of the hidden layers and of the output; null for the input takes it from the first batch. `activation`,
    `norm` (`LayerNorm`, `RMSNorm`, `BatchNorm1d`) and `output_activation` are names of torch classes. Raises
    `ValueError` on fewer than two sizes and on unknown names.
    """

    def __init__(
        self,
        dims: Sequence[PositiveInt | None],
        activation: Activation = "ReLU",
        norm: Norm | None = None,
        dropout: UnitInterval = 0.0,
        output_activation: Activation | None = None,
        bias: bool = True,
    ) -> None:
        if len(dims) < 2 or any(size is None for size in dims[1:]):
            raise ValueError(f"'dims' is [input, hidden..., output], and only the input may be null, not {dims}")
        sizes = [size for size in dims[1:] if size is not None]
        layers: list[nn.Module] = [_linear(dims[0], sizes[0], bias)]
        for size, following in pairwise(sizes):
            layers += [make_norm(norm, size)] if norm else []
            layers.append(make_activation(activation))
            layers += [nn.Dropout(dropout)] if dropout else []
            layers.append(nn.Linear(size, following, bias))
        layers += [make_activation(output_activation)] if output_activation else []
        super().__init__(*layers)


def _linear(in_features: int | None, out_features: int, bias: bool) -> nn.Module:
    if in_features is None:
        return nn.LazyLinear(out_features, bias)
    return nn.Linear(in_features, out_features, bias)
