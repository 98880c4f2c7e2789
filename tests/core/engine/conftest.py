"""A small real run: every part is real, only small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from offline_trainer_core import LossOutput, RunInfo
from offline_trainer_core.distributed import OneProcess
from offline_trainer_core.engine import LoopSettings, Session
from offline_trainer_core.record import CheckpointStore
from offline_trainer_core.types import ArgsKwargs


class Batches:
    """Twelve fixed batches of four rows an epoch, in an order that depends on the epoch."""

    def __init__(self, count: int = 12, rows: int = 4) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(count * rows, 3, generator=generator)
        self.y = self.x @ torch.randn(3, 2, generator=generator)
        self.count, self.rows, self.epoch, self.start = count, rows, 0, 0

    def __len__(self) -> int:
        return self.count

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        self.epoch, self.start = epoch, start

    def __iter__(self) -> Any:
        order = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(self.epoch)).view(self.count, -1)
        for rows in order[self.start :]:
            yield {"x": self.x[rows], "y": self.y[rows]}


class Data:
    def __init__(self, train: Any = None, val: Any = None) -> None:
        self.train, self.val = train or Batches(), val
        self.stats = {"x": {name: getattr(self.train.x, name)(0) for name in ("mean", "std")}}
        self.stats["x"] |= {"min": self.train.x.amin(0), "max": self.train.x.amax(0)}

    def setup(self, stage: str | None) -> None:
        return None

    def train_dataloader(self) -> Any:
        return self.train

    def val_dataloader(self) -> Any:
        return self.val


class IO:
    def split(self, batch: Any, *, stage: str) -> Any:
        return ArgsKwargs((batch["x"],)), batch.get("y"), {}


class SquaredError:
    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: str) -> LossOutput:
        return LossOutput(nn.functional.mse_loss(outputs, targets))


class Fit:
    """The smallest algorithm: one model, one loss, one optimizer."""

    def setup(self, *, model: nn.Module, io: Any, loss: Any) -> None:
        self.model, self.io, self.loss = model, io, loss

    def score(self, batch: Any, stage: str) -> Any:
        inputs, targets, _ = self.io.split(batch, stage=stage)
        outputs = self.model(*inputs.args)
        return self.loss(outputs=outputs, targets=targets, batch=batch, stage=stage).loss, outputs, targets

    def update(self, batch: Any, step: Any) -> Mapping[str, Any]:
        loss, _, _ = self.score(batch, "train")
        step.optimize("model", loss)
        return {"loss": loss}

    def validate(self, batch: Any) -> Any:
        loss, outputs, targets = self.score(batch, "val")
        return {"loss": loss}, outputs, targets


class Sgd:
    def __init__(self, lr: float = 0.05, momentum: float = 0.9) -> None:
        self.options = {"lr": lr, "momentum": momentum}

    def build(self, model: nn.Module, *, registry: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), **self.options)


class OneReplica:
    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        return model

    def accumulate(self, models: Any) -> Any:
        raise AssertionError("only reached while gradients accumulate")


class Recorder:
    """A logger that remembers."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, dict[str, float]]] = []

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        self.rows.append((step, stage, dict(metrics)))


def network(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 2))


@pytest.fixture
def small(tmp_path: Path) -> SimpleNamespace:
    """Give the parts' classes by name."""
    return SimpleNamespace(
        Batches=Batches,
        Data=Data,
        IO=IO,
        SquaredError=SquaredError,
        Fit=Fit,
        Sgd=Sgd,
        Recorder=Recorder,
        network=network,
    )


@pytest.fixture
def make_parts(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that makes the parts of a small run; keywords replace parts, or fields of its `RunInfo`."""

    def make(**changes: Any) -> dict[str, Any]:
        fields = {name: changes.pop(name) for name in ("precision", "resume_from", "seed") if name in changes}
        store = CheckpointStore(tmp_path / "checkpoints")
        run = RunInfo("small", tmp_path, device=torch.device("cpu"), checkpoints=store, **fields)
        models = changes.pop("models", None) or {"model": network()}
        parts = {
            "run": run,
            "collectives": OneProcess(),
            "registry": None,
            "models": models,
            "model": next(iter(models.values())),
            "datamodule": Data(),
            "io": IO(),
            "loss": SquaredError(),
            "algorithm": Fit(),
            "optimizer_factory": Sgd(),
            "strategy": OneReplica(),
        }
        return {**parts, **changes}

    return make


@pytest.fixture
def train() -> Callable[..., Session]:
    """Return a function that trains to the end and returns the session."""

    def run(parts: dict[str, Any], *, log_every: int = 5, **settings: Any) -> Session:
        with Session(parts, LoopSettings(**settings)) as session:
            while not session.done:
                for batch, last in session.batches():
                    if not session.train_on(batch, last):
                        continue
                    if session.context.due(log_every):
                        session.log_train()
                    session.end_step()
                    if session.should_stop():
                        break
                if session.epoch_complete:
                    session.end_epoch()
            return session

    return run
