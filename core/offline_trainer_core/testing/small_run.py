"""A small run for the contracts of what acts on one: every part is real, only small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.distributed import OneProcess
from offline_trainer_core.engine import LoopSettings, Session
from offline_trainer_core.record import CheckpointStore
from offline_trainer_core.types import RunInfo

__all__ = ["FusedAdam", "Journal", "SmallData", "small_parts", "train"]


class SmallData:
    """The same few batches in every epoch, each time in another order; also for validation."""

    def __init__(self, batches: Sequence[Any]) -> None:
        self._batches = batches

    def setup(self, stage: str | None) -> None:
        """There is nothing to read."""

    def train_dataloader(self) -> _SmallLoader:
        return _SmallLoader(self._batches)

    def val_dataloader(self) -> _SmallLoader:
        return _SmallLoader(self._batches)


class _SmallLoader:
    def __init__(self, batches: Sequence[Any]) -> None:
        self._batches, self._epoch, self._start = batches, 0, 0

    def __len__(self) -> int:
        return len(self._batches)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        self._epoch, self._start = epoch, start

    def __iter__(self) -> Iterator[Any]:
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(self._epoch))
        return iter([self._batches[index] for index in order[self._start :].tolist()])


class Regression:
    """Fits the only model to `y (B, 2)` from `x (B, 3)`."""

    action_field = "y"

    def setup(self, *, model: nn.Module) -> None:
        self._model = model

    def update(self, batch: Mapping[str, Tensor], step: Any) -> Mapping[str, Tensor]:
        outputs = self._model(batch["x"])
        loss = F.mse_loss(outputs, batch["y"])
        step.optimize(step.optimizers, loss)
        step.observe(outputs=outputs, targets=batch["y"], batch=batch)
        return {"loss": loss}

    def validate(self, batch: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], Tensor, Tensor]:
        outputs = self._model(batch["x"])
        return {"loss": F.mse_loss(outputs, batch["y"])}, outputs, batch["y"]

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        action: Tensor = self._model(observation["x"])
        return action


class FusedAdam:
    """An optimizer whose steps read nothing back from the device."""

    def __init__(self, lr: float) -> None:
        self._lr = lr

    def build(self, model: nn.Module, *, registry: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=self._lr, fused=True)


class Journal:
    """A logger that remembers (step, stage, metrics)."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, dict[str, float]]] = []

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        self.rows.append((step, stage, dict(metrics)))


class _OneReplica:
    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        return model

    def accumulate(self, models: Any) -> AbstractContextManager[None]:
        return nullcontext()


def small_parts(folder: Path, *, resume_from: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return the parts of a run in `folder`: four batches an epoch for a small network; `changes` replace parts."""
    store = CheckpointStore(folder / "checkpoints")
    run = RunInfo("contract", folder, device=torch.device("cpu"), checkpoints=store, resume_from=resume_from)
    torch.manual_seed(7)
    parts: dict[str, Any] = {
        "run": run,
        "collectives": OneProcess(),
        "registry": installed_registry(),
        "models": {"model": nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 2))},
        "datamodule": SmallData([_batch(index) for index in range(4)]),
        "algorithm": Regression(),
        "optimizer_factory": FusedAdam(0.01),
        "strategy": _OneReplica(),
    } | changes
    return {**parts, "model": next(iter(parts["models"].values()))}


def _batch(index: int) -> dict[str, Tensor]:
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(index))
    return {"x": x, "y": x[:, :2] - x[:, 2:]}


def train(
    parts: Mapping[str, Any],
    *,
    steps: int,
    stop_at: int | None = None,
    around_step: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Session:
    """Train for `steps`, with logs, validation and evaluation after every epoch; or save at `stop_at` and stop there.

    `around_step` gives the context in which each step and its listeners run.
    """
    with Session(parts, LoopSettings(max_steps=steps, on_nonfinite="ignore")) as session:
        while not session.done:
            for batch, last in session.batches():
                with around_step():
                    session.train_on(batch, last)
                    session.end_step()
                if session.state.global_step == stop_at:
                    session.context.save_checkpoint()
                    return session
                if session.should_stop():
                    break
            if session.epoch_complete:
                session.log_train()
                session.validate()
                session.evaluate()
                session.end_epoch()
        session.context.save_checkpoint("end")
    return session
