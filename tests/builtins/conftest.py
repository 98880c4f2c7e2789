"""A run of the built-in parts that is small enough to be computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def small_run(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Return a function that trains on 12 rows in batches of 2 (six an epoch) and validates on 7 in batches of 3.

    Keywords are parts; all others are arguments of `trainer.default`. What comes back has the model, the data, the
    result, and `rows`: (step, stage, metrics) of everything that was logged.
    """
    import torch
    from torch import nn

    from offline_trainer_core import RunInfo
    from offline_trainer_core.distributed import OneProcess
    from ot_builtins.io import Mapping
    from ot_builtins.losses import TorchLoss
    from ot_builtins.strategies import Single
    from ot_builtins.supervised import Supervised
    from ot_builtins.trainer import DefaultTrainer

    class Data:
        def __init__(self) -> None:
            generator = torch.Generator().manual_seed(0)
            self.x = torch.randn(19, 3, generator=generator)
            self.y = self.x @ torch.randn(3, 2, generator=generator)
            self.stats = {name: _statistics(rows[:12]) for name, rows in (("x", self.x), ("y", self.y))}

        def setup(self, stage: str | None) -> None:
            pass

        def batches(self, first: int, last: int, size: int) -> list[dict[str, torch.Tensor]]:
            starts = range(first, last, size)
            return [{"x": self.x[i : min(i + size, last)], "y": self.y[i : min(i + size, last)]} for i in starts]

        def train_dataloader(self) -> Any:
            return self.batches(0, 12, 2)

        def val_dataloader(self) -> Any:
            return self.batches(12, 19, 3)

    def _statistics(rows: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"mean": rows.mean(0), "std": rows.std(0), "min": rows.amin(0), "max": rows.amax(0)}

    class Sgd:
        def build(self, model: nn.Module, *, registry: object) -> torch.optim.Optimizer:
            return torch.optim.SGD(model.parameters(), lr=0.1)

    class Journal:
        def __init__(self) -> None:
            self.rows: list[tuple[int, str, dict[str, float]]] = []

        def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
            self.rows.append((step, stage, dict(metrics)))

    names = {"models", "algorithm", "callbacks", "evaluations", "metrics", "normalize", "optimizer_factory", "loss",
             "scheduler_factory", "datamodule", "io"}  # fmt: skip

    def run(trainer: Any = None, **changes: Any) -> SimpleNamespace:
        torch.manual_seed(7)
        journal, data = Journal(), Data()
        parts = {
            "run": RunInfo("small", tmp_path, device=torch.device("cpu")),
            "collectives": OneProcess(),
            "registry": None,
            "models": {"model": nn.Linear(3, 2)},
            "datamodule": data,
            "io": Mapping(model_args=["x"], targets={"y": "y"}),
            "loss": TorchLoss("MSELoss"),
            "algorithm": Supervised(action_field="y"),
            "optimizer_factory": Sgd(),
            "strategy": Single(),
            "loggers": {"journal": journal},
            **{name: changes.pop(name) for name in names & changes.keys()},
        }
        result = (trainer or DefaultTrainer(**changes)).fit(**parts)
        model = next(iter(parts["models"].values()))
        return SimpleNamespace(model=model, data=data, result=result, rows=journal.rows, parts=parts)

    return run
