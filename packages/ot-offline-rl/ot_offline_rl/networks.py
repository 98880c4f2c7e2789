"""The networks of actor-critic methods on vector observations: a deterministic actor and a twin critic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import PositiveFloat, PositiveInt

__all__ = ["DeterministicActor", "EnsembleLinear", "TwinQ"]


class DeterministicActor(nn.Module):
    """A policy that maps an observation to one action: an MLP whose tanh output is scaled to the action limits.

    Shapes: observation `(B, observation_dim)` to action `(B, action_dim)` within `[-max_action, max_action]`.
    Source: Fujimoto & Gu 2021 (two hidden layers of 256 units, ReLU).
    """

    def __init__(
        self,
        observation_dim: PositiveInt,
        action_dim: PositiveInt,
        hidden: Sequence[PositiveInt] = (256, 256),
        max_action: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        widths = [observation_dim, *hidden]
        layers = [layer for i, o in pairwise(widths) for layer in (nn.Linear(i, o), nn.ReLU())]
        self.net = nn.Sequential(*layers, nn.Linear(widths[-1], action_dim), nn.Tanh())
        self.max_action = max_action

    def forward(self, observation: Tensor) -> Tensor:
        action: Tensor = self.max_action * self.net(observation)
        return action


class EnsembleLinear(nn.Module):
    """`members` linear layers side by side: one batched product `(E, B, in_features) -> (E, B, out_features)`.

    Each member is initialised as `nn.Linear` is.
    """

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        bound = in_features**-0.5
        self.weight = nn.Parameter(torch.empty(members, out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, out_features).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight.mT)

    def first(self, x: Tensor) -> Tensor:
        """Return the first member's output alone: `(B, in_features) -> (B, out_features)`."""
        return F.linear(x, self.weight[0], self.bias[0, 0])


class TwinQ(nn.Module):
    """Two independent action-value functions, computed together: half the kernel launches of two networks.

    Shapes: observation `(B, observation_dim)`, action `(B, action_dim)` to values `(2, B)`.
    Source: Fujimoto et al. 2018 (TD3); two hidden layers of 256 units, ReLU.
    """

    def __init__(
        self, observation_dim: PositiveInt, action_dim: PositiveInt, hidden: Sequence[PositiveInt] = (256, 256)
    ) -> None:
        super().__init__()
        widths = [observation_dim + action_dim, *hidden, 1]
        self.layers = nn.ModuleList(EnsembleLinear(2, i, o) for i, o in pairwise(widths))

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        return self._through(EnsembleLinear.__call__, torch.cat([observation, action], dim=-1).expand(2, -1, -1))

    def first(self, observation: Tensor, action: Tensor) -> Tensor:
        """Return the first function's values alone, `(B,)`: what the actor climbs."""
        return self._through(EnsembleLinear.first, torch.cat([observation, action], dim=-1))

    def _through(self, apply: Callable[..., Tensor], x: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(apply(layer, x))
        return apply(last, x).squeeze(-1)
