"""Small networks with the names that the algorithms call them by, and a training loop at its smallest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

CHUNK = (4, 2)


class Predictor(nn.Module):
    """Takes noisy actions, a time and a state `(B, 3)`; remembers what it was called with."""

    def __init__(self, chunk: tuple[int, int] = CHUNK, width: int = 32, state_dim: int = 3) -> None:
        super().__init__()
        size = chunk[0] * chunk[1]
        self.net = nn.Sequential(nn.Linear(size + 1 + state_dim, width), nn.Tanh(), nn.Linear(width, size))
        self.calls: list[tuple[Tensor, Tensor, Tensor]] = []

    def forward(self, actions: Tensor, time: Tensor, state: Tensor) -> Tensor:
        self.calls.append((actions.detach(), time.detach(), state.detach()))
        flat: Tensor = self.net(torch.cat([actions.flatten(1), time[:, None], state], dim=-1))
        return flat.view(-1, *actions.shape[1:])


class Step:
    """The trainer's `step` at its smallest: real optimizers, no accumulation, no precision, no guard."""

    device = torch.device("cpu")
    boundary = True
    global_step = 0

    def __init__(self, models: Mapping[str, nn.Module], lr: float) -> None:
        trained = {name: [p for p in model.parameters() if p.requires_grad] for name, model in models.items()}
        self._optimizers = {name: torch.optim.Adam(p, lr=lr, fused=True) for name, p in trained.items() if p}
        self.optimizers = tuple(self._optimizers)
        self.observed: list[tuple[Any, Any]] = []

    def optimize(self, names: tuple[str, ...], loss: Tensor) -> None:
        loss.backward()
        for name in names:
            self._optimizers[name].step()
            self._optimizers[name].zero_grad()

    def observe(self, *, outputs: Any, targets: Any, batch: Any) -> None:
        self.observed.append((outputs, targets))


@pytest.fixture
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor()


@pytest.fixture
def step_for() -> Callable[..., Step]:
    """Return a function from named models to a `step` that minimises with Adam."""
    return lambda models, lr=1e-3: Step(models, lr)


@pytest.fixture
def batch_of() -> Callable[..., dict[str, Tensor]]:
    """Return a function that draws a batch: state (B, 3), action (B, 4, 2), the last actions of some rows padded."""

    def draw(rows: int = 6, seed: int = 0) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        inside = torch.randint(1, CHUNK[0] + 1, (rows, 1), generator=generator)
        return {
            "state": torch.randn(rows, 3, generator=generator),
            "action": torch.randn(rows, *CHUNK, generator=generator),
            "action_is_pad": torch.arange(CHUNK[0]) >= inside,
        }

    return draw


@pytest.fixture
def set_up() -> Callable[..., Any]:
    """Return a function that gives an algorithm its models, one or several, and returns it."""

    def bind(algorithm: Any, models: nn.Module | Mapping[str, nn.Module]) -> Any:
        named = {"model": models} if isinstance(models, nn.Module) else models
        algorithm.setup(models=named, modules=named)
        return algorithm

    return bind
