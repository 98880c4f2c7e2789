"""A run in which everything that is saved matters, and what must come out alike of two of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from offline_trainer_core import RunInfo, SchedulerBundle
from offline_trainer_core.distributed import OneProcess
from offline_trainer_core.nest import leaves
from offline_trainer_core.record import CheckpointStore, RecordLogger
from ot_builtins.callbacks.early_stopping import EarlyStopping
from ot_builtins.callbacks.ema import Ema
from ot_builtins.callbacks.model_checkpoint import ModelCheckpoint
from ot_builtins.metrics import MeanSquaredError
from ot_builtins.strategies import Single
from ot_builtins.trainer import DefaultTrainer

STEPS_PER_EPOCH = 6


class Killed(Exception):
    """Stands for a kill: nothing is saved after it."""


class Loader:
    """Six batches of four rows, in an order that depends on the epoch."""

    def __init__(self, rows: Mapping[str, Tensor]) -> None:
        self.rows, self.epoch, self.start = rows, 0, 0

    def __len__(self) -> int:
        return STEPS_PER_EPOCH

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        self.epoch, self.start = epoch, start

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        order = torch.randperm(24, generator=torch.Generator().manual_seed(self.epoch)).view(STEPS_PER_EPOCH, 4)
        for chosen in order[self.start :]:
            yield {name: rows[chosen] for name, rows in self.rows.items()}


class Data:
    """Rows whose statistics are those of a sample, drawn by every process anew; its state is what it was told."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(24, 3, generator=generator)
        self.rows = {"x": x, "y": x @ torch.randn(3, 2, generator=generator) + 1}
        self.told = 0
        sample = x[np.random.default_rng().choice(24, size=12, replace=False)]
        self.stats = {"x": {"mean": sample.mean(0), "std": sample.std(0), "min": sample.amin(0), "max": sample.amax(0)}}

    def setup(self, stage: str | None) -> None:
        return None

    def train_dataloader(self) -> Loader:
        return Loader(self.rows)

    def val_dataloader(self) -> Loader:
        return Loader(self.rows)

    def state_dict(self) -> dict[str, int]:
        return {"told": self.told}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.told = state["told"]


class Fading(nn.Module):
    """Adds noise that fades with every forward in training; how far it has faded is a buffer that is not persistent."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        self.scale *= 0.95
        return x + 0.1 * self.scale * torch.randn_like(x)


class TwoModels:
    """A model that is fitted to the data and one that follows it, towards a slow copy of itself."""

    def setup(self, *, models: Mapping[str, nn.Module], datamodule: Data) -> None:
        self.first, self.second = models["first"], models["second"]
        self.target = nn.Linear(2, 2)
        self.target.load_state_dict(self.second.state_dict())
        self.datamodule = datamodule

    def update(self, batch: Mapping[str, Tensor], step: Any) -> Mapping[str, Tensor]:
        self.datamodule.told += 1
        outputs = self.first(batch["x"])
        loss = (outputs - batch["y"]).square().mean() * (1 + 0.1 * random.random() + 0.01 * self.datamodule.told)
        decay = torch.stack([p.square().sum() for p in self.first.parameters() if p.requires_grad]).sum()
        step.optimize("first", loss + 0.01 * decay)
        step.observe(outputs=outputs.detach(), targets=batch["y"], batch=batch)
        noise = torch.as_tensor(np.random.rand(), dtype=torch.float32)
        following = self.second(outputs.detach()) - self.target(batch["y"]).detach() - outputs.detach()
        other = (following + 0.1 * noise).square().mean()
        step.optimize("second", other)
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.second.parameters(), strict=True):
                slow.lerp_(fast, 0.1)
        return {"loss": loss, "other": other, "decay": decay}

    def validate(self, batch: Mapping[str, Tensor]) -> Any:
        outputs = self.first(batch["x"])
        loss = (outputs - batch["y"]).square().mean() + self.second(outputs).square().mean() * random.random()
        return {"loss": loss}, outputs, batch["y"]

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        return self.first(observation["x"])

    def state_dict(self) -> dict[str, Tensor]:
        return self.target.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.target.load_state_dict(state)


class Optimizers:
    def __init__(self, name: str) -> None:
        self.name = name

    def build(self, model: nn.Module, *, registry: Any) -> torch.optim.Optimizer:
        if self.name == "first":
            return torch.optim.AdamW(model.parameters(), lr=0.02)
        return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)


class Schedules:
    def __init__(self, name: str) -> None:
        self.name = name

    def build(self, optimizer: torch.optim.Optimizer, *, registry: Any) -> SchedulerBundle:
        if self.name == "first":
            return SchedulerBundle(torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.7), "step", frequency=5)
        watching = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0.5)
        return SchedulerBundle(watching, "metric", monitor="val/loss")


class ChangesModels:
    """Unfreezes a layer at step 4, and ends the dropout at step 8."""

    def on_train_step_end(self, context: Any) -> None:
        model = context.models["first"]
        if context.state.global_step == 4:
            model[0].requires_grad_(True)
        if context.state.global_step == 8:
            model[4].eval()


class Counts:
    """Counts what it hears of, in its state."""

    def __init__(self) -> None:
        self.heard = {"steps": 0, "validations": 0, "evaluations": 0, "epochs": 0}

    def on_train_step_end(self, logs: Mapping[str, Tensor]) -> None:
        self.heard["steps"] += 1
        self.heard["loss"] = logs["loss"].item()

    def on_validation_end(self) -> None:
        self.heard["validations"] += 1

    def on_evaluation_end(self) -> None:
        self.heard["evaluations"] += 1

    def on_epoch_end(self) -> None:
        self.heard["epochs"] += 1

    def state_dict(self) -> dict[str, Any]:
        return dict(self.heard)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.heard = dict(state)


class SaveAndDie:
    """Saves at one step, and is killed when a later one has begun."""

    def __init__(self, save: int, die: int) -> None:
        self.save, self.die = save, die

    def on_train_step_end(self, context: Any) -> None:
        if context.state.global_step == self.save:
            context.save_checkpoint()

    def post_optim(self, context: Any) -> None:
        if context.state.global_step == self.die:
            raise Killed


def network() -> nn.Module:
    torch.manual_seed(7)
    model = nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), Fading(), nn.Dropout(0.3), nn.Linear(8, 2)
    )  # fmt: skip
    model[0].requires_grad_(False)
    return model


def fit(folder: Path, *, resume: bool = False, save_at: int = 0, patience: int = 3, **changes: Any) -> dict[str, Any]:
    """Train for 24 steps in `folder`, or until a kill two steps after `save_at`; return what came out.

    With `patience` as it is, early stopping ends the run at its last validation.
    """
    settings = {"max_epochs": 4, "log_every_n_steps": 5, **changes.pop("settings", {})}
    callbacks = {
        "ema": Ema(decay=0.8),
        "stop": EarlyStopping(patience=patience, min_delta=100.0),
        "changes": ChangesModels(),
        "counts": Counts(),
        "checkpoint": ModelCheckpoint(monitor="loss", mode="max"),
        **({"die": SaveAndDie(save_at, save_at + 2)} if save_at else {}),
        **changes.pop("callbacks", {}),
    }
    folder.mkdir(exist_ok=True)
    store = CheckpointStore(folder / "checkpoints")
    run = RunInfo(
        "exact", folder, device=torch.device("cpu"), checkpoints=store, resume_from="auto" if resume else None
    )  # fmt: skip
    models = {"first": network(), "second": nn.Linear(2, 2)}
    parts = {
        "run": run, "collectives": OneProcess(), "registry": None, "models": models, "model": models["first"],
        "datamodule": Data(), "algorithm": TwoModels(), "strategy": Single(), "normalize": {"x": "mean_std"},
        "optimizer_factory": {name: Optimizers(name) for name in models},
        "scheduler_factory": {name: Schedules(name) for name in models},
        "metrics": {"mse": MeanSquaredError(stages=("train", "val"))},
        "loggers": {"record": RecordLogger()}, "callbacks": callbacks,
    }  # fmt: skip
    result = DefaultTrainer(**settings).fit(**{**parts, **changes})
    return outcome(folder, result)


def outcome(folder: Path, result: Any) -> dict[str, Any]:
    """Return what must be equal: weights, optimizers, averages, logs, the best checkpoint and how the run ended."""
    store = CheckpointStore(folder / "checkpoints")
    state = store.load("last").state
    kept = ("models.", "optimizers.", "callbacks.ema", "callbacks.counts", "algorithm")
    found = {name: bits(part) for name, part in state.items() if name.startswith(kept)}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    logs = [{name: value for name, value in line.items() if name != "time"} for line in lines]
    return {**found, "logs": logs, "best": store.best(), "metrics": dict(result.metrics), "reason": result.reason}


def bits(nest: Any) -> dict[Any, Any]:
    """Return the leaves of a nest by path, tensors as bytes."""
    return {
        path: leaf.contiguous().numpy().tobytes() if isinstance(leaf, Tensor) else leaf for path, leaf in leaves(nest)
    }
