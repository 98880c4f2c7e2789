"""A policy as environments and programs see it: raw observations in, raw actions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.networks.normalizer import Normalizer

__all__ = ["PolicyModule", "TrainedPolicy"]


class PolicyModule(nn.Module):
    """A policy as one module: it normalizes, lets the algorithm act, and gives actions in the units of the data.

    Its submodules are the networks by name, and the normalizer: what is exported with it.
    """

    def __init__(self, algorithm: Any, networks: Mapping[str, nn.Module], normalizer: Normalizer) -> None:
        """Raises `ComponentError` for an algorithm that cannot act."""
        super().__init__()
        if not hasattr(algorithm, "act"):
            raise ComponentError(f"{type(algorithm).__name__} has no 'act' method, so its policy cannot be evaluated")
        self.networks = nn.ModuleDict(networks)
        self.normalizer = normalizer
        self.algorithm = algorithm
        self.action_field: str = getattr(algorithm, "action_field", "action")

    @property
    def noise_shape(self) -> tuple[int, ...] | None:
        """The shape of the noise from which one action is made; None for a policy that takes none."""
        shape = getattr(self.algorithm, "noise_shape", None)
        return None if shape is None else tuple(shape)

    def forward(self, observation: Mapping[str, Tensor], noise: Tensor | None = None) -> Tensor:
        """Map `{field: (B, ...)}`, and `noise (B, *noise_shape)` where the policy takes it, to actions `(B, ...)`."""
        normalized = self.normalizer.present(observation)
        action = self.algorithm.act(normalized) if noise is None else self.algorithm.act(normalized, noise)
        return self.normalizer.denormalize(self.action_field, action)


class TrainedPolicy:
    """A policy to call: takes arrays or tensors, draws the noise that it needs, and answers on the CPU."""

    def __init__(self, module: PolicyModule, device: torch.device, watch: Callable[[], None] = lambda: None) -> None:
        """`watch` is called before every action, and ends an evaluation by what it raises."""
        self.module = module
        self._device = device
        self._watch = watch
        self._generator = torch.Generator().manual_seed(0)

    def reset(self, seed: int | None = None) -> None:
        """Begin new episodes; with a seed, what is drawn from here on is a function of it."""
        if seed is not None:
            self._generator.manual_seed(seed)
        if hasattr(self.module.algorithm, "reset"):
            self.module.algorithm.reset(seed)

    @torch.no_grad()
    def act(self, observation: Mapping[str, Any], noise: Any = None) -> Tensor:
        """Map `{field: (B, ...)}` to actions `(B, ...)` or chunks of actions `(B, T, ...)`, on the CPU.

        `noise (B, *noise_shape)` is drawn where the policy takes some and none is given.
        """
        self._watch()
        placed = {field: torch.as_tensor(value).to(self._device) for field, value in observation.items()}
        shape = self.module.noise_shape
        if shape is not None:
            rows = len(next(iter(placed.values())))
            drawn = torch.randn(rows, *shape, generator=self._generator) if noise is None else torch.as_tensor(noise)
            noise = drawn.to(self._device)
        result: Tensor = self.module(placed, noise).float().cpu()
        return result

    __call__ = act
