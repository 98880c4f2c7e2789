"""Target networks: slowly moving copies that make temporal-difference targets stable."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

__all__ = ["TargetNetworks"]


class TargetNetworks:
    """Frozen copies of named networks that follow them by exponential averaging.

    `targets["critic"]` is the copy of the network given as `critic`. Buffers (of normalization layers, say) are copied,
    not averaged. Source: Lillicrap et al. 2016 (DDPG).
    """

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self.copies = nn.ModuleDict({name: deepcopy(network) for name, network in networks.items()})
        self.copies.requires_grad_(False).eval()
        self._parameters: list[Tensor] = list(self.copies.parameters())
        self._online_parameters: list[Tensor] = [p for network in networks.values() for p in network.parameters()]
        self._buffers = list(self.copies.buffers())
        self._online_buffers = [b for network in networks.values() for b in network.buffers()]

    def __getitem__(self, name: str) -> nn.Module:
        return self.copies[name]

    @torch.no_grad()
    def update(self, tau: float) -> None:
        """Move every target by the fraction `tau` towards its network."""
        torch._foreach_lerp_(self._parameters, self._online_parameters, tau)
        if self._buffers:
            torch._foreach_copy_(self._buffers, self._online_buffers)

    def state_dict(self) -> dict[str, Tensor]:
        return dict(self.copies.state_dict())

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.copies.load_state_dict(state)
