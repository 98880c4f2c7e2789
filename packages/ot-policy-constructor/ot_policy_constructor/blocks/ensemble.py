"""Ensembles of action-value functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from offline_trainer_core import PositiveInt
from ot_policy_constructor.blocks.activation import Activation, make_activation
from ot_policy_constructor.blocks.batched_linear import BatchedLinear, batched_linear


class QEnsemble(nn.Module):
    """Independent action-value functions in one batched product a layer (An et al. 2021; two of them: TD3, SAC).

    Shapes: observation `(..., O)` and action `(..., A)` to values `(members, ...)`. Each function is an MLP with layers
    of the sizes `hidden`, initialised as if it were alone. `in_features` is `O + A`; null takes it from the batch.
    """

    def __init__(
        self,
        members: PositiveInt,
        hidden: Sequence[PositiveInt] = (256, 256),
        in_features: PositiveInt | None = None,
        activation: Activation = "ReLU",
    ) -> None:
        super().__init__()
        self.members = members
        sizes = [*hidden, 1]
        layers = [batched_linear(members, in_features, sizes[0])]
        layers += [BatchedLinear(members, size, following) for size, following in pairwise(sizes)]
        self.layers = nn.ModuleList(layers)
        self.act = make_activation(activation)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return the values of all functions."""
        x = torch.cat([observation, action], dim=-1)
        values = x.flatten(0, -2).expand(self.members, -1, -1)
        *hidden, last = self.layers
        for layer in hidden:
            values = self.act(layer(values))
        return last(values).reshape(self.members, *x.shape[:-1])  # type: ignore[no-any-return]

    def first(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return the first function's values alone, `(...)`: what an actor climbs in TD3."""
        x = torch.cat([observation, action], dim=-1)
        *hidden, last = self.layers
        for layer in hidden:
            x = self.act(layer.first(x))
        return last.first(x).squeeze(-1)  # type: ignore[no-any-return]
