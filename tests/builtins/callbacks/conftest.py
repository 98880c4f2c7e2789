"""A small run of the built-in parts, with callbacks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from offline_trainer_core import RunInfo
from offline_trainer_core.distributed import OneProcess
from offline_trainer_core.record import CheckpointStore, RecordLogger
from ot_builtins.data.random_regression import RandomRegression
from ot_builtins.io import Mapping
from ot_builtins.losses import TorchLoss
from ot_builtins.strategies import Single
from ot_builtins.supervised import Supervised
from ot_builtins.trainer import DefaultTrainer


class Sgd:
    def __init__(self, lr: float = 0.05) -> None:
        self.lr = lr

    def build(self, model: nn.Module, *, registry: object) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=self.lr, momentum=0.9)


class Remember:
    """A callback that keeps the context, and what was logged."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, dict[str, float]]] = []

    def on_fit_start(self, context) -> None:
        self.context = context

    def on_log(self, metrics, step, stage) -> None:
        self.rows.append((step, stage, dict(metrics)))


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Return a function that trains 8 steps an epoch with callbacks, and returns model, context, log and result.

    `lr: 0` gives a run that never improves; evaluations are given as `evaluations`.
    """

    def train(
        callbacks, *, lr=0.05, folder=tmp_path, resume_from=None, evaluations=None, dropout=0.0, **settings
    ) -> SimpleNamespace:
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(7)
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 2))
        store = CheckpointStore(folder / "checkpoints")
        run = RunInfo("small", folder, device=torch.device("cpu"), checkpoints=store, resume_from=resume_from)
        remember = Remember()
        data = RandomRegression(batch_size=8, steps_per_epoch=8, val_steps_per_epoch=2, x_shape=[4], y_shape=[2])
        result = DefaultTrainer(**{"max_epochs": 3, "log_every_n_steps": 2, **settings}).fit(
            run=run,
            collectives=OneProcess(),
            registry=None,
            models={"policy": model},
            datamodule=data,
            io=Mapping(model_args=["x"], targets={"y": "y"}),
            loss=TorchLoss("MSELoss"),
            algorithm=Supervised(),
            optimizer_factory=Sgd(lr),
            strategy=Single(),
            loggers={"record": RecordLogger()},
            callbacks={**callbacks, "remember": remember},
            evaluations=evaluations or {},
        )
        return SimpleNamespace(
            model=model, context=remember.context, rows=remember.rows, result=result, store=store, dir=folder
        )

    return train


@pytest.fixture(autouse=True)
def fail_on_warnings(caplog: pytest.LogCaptureFixture):
    """What the core warns about is a defect here."""
    with caplog.at_level(logging.WARNING):
        yield
    assert not [r for r in caplog.records if r.name.startswith("offline_trainer_core")]
