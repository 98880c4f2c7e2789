from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Batch = dict[str, Tensor]


class PlainStep:
    """The trainer's `step` at its smallest: real optimizers, no accumulation, no precision, no guard."""

    device = torch.device("cpu")
    boundary = True

    def __init__(self, optimizers: Mapping[str, Optimizer]) -> None:
        self._optimizers = optimizers
        self.optimizers = tuple(optimizers)
        self.global_step = 0

    def optimize(self, names: str | tuple[str, ...], loss: Tensor) -> None:
        chosen = [self._optimizers[name] for name in ([names] if isinstance(names, str) else names)]
        loss.backward(inputs=[p for o in chosen for group in o.param_groups for p in group["params"]])
        for optimizer in chosen:
            optimizer.step()
            optimizer.zero_grad()

    def observe(self, *, outputs: Any, targets: Any, batch: Any) -> None:
        """Nobody looks on."""

    def every(self, n: int) -> bool:
        return self.global_step % n == 0


@pytest.fixture
def step_for() -> Callable[..., PlainStep]:
    """Return a function from named models to a `step` that minimises with fused Adam."""

    def make(models: Mapping[str, nn.Module], lr: float = 3e-4) -> PlainStep:
        return PlainStep({name: torch.optim.Adam(m.parameters(), lr=lr, fused=True) for name, m in models.items()})

    return make


@pytest.fixture
def transitions() -> Callable[..., Batch]:
    """Return a function that draws a batch of transitions: observation (B, 3), action (B, 2) in [-1, 1]."""

    def draw(batch: int = 16, seed: int = 0) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        observation, next_observation = torch.randn(2, batch, 3, generator=generator)
        return {
            "observation": observation,
            "action": torch.rand(batch, 2, generator=generator) * 2 - 1,
            "reward": torch.randn(batch, generator=generator),
            "next_observation": next_observation,
            "terminated": torch.rand(batch, generator=generator) < 0.25,
        }

    return draw
