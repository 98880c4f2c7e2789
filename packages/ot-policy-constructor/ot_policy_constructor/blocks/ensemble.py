"""Ensembles of action-value functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from offline_trainer_core import PositiveInt
from ot_policy_constructor.blocks.activation import Activation
from ot_policy_constructor.blocks.batched_mlp import BatchedMLP


class QEnsemble(nn.Module):
    """Independent action-value functions, in one batched product a layer (An et al. 2021; two of them: TD3, SAC).

    Shapes: observation `(..., O)` and action `(..., A)` to values `(members, ...)`. Each function is an MLP with layers
    of the sizes `hidden`, initialised as if it were alone. Null for
    `in_features`, which is `O + A`, takes it from the first batch.
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
        self.functions = BatchedMLP(members, [in_features, *hidden, 1], activation)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return the values of all functions."""
        x = torch.cat([observation, action], dim=-1)
        values: Tensor = self.functions(x.flatten(0, -2).expand(self.members, -1, -1))
        return values.reshape(self.members, *x.shape[:-1])

    def first(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return the first function's values alone, `(...)`: what an actor climbs in TD3."""
        return self.functions.first(torch.cat([observation, action], dim=-1)).squeeze(-1)
