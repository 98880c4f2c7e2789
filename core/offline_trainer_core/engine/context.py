"""What callbacks, hook plugins and evaluations see of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from offline_trainer_core.distributed import Collectives
from offline_trainer_core.networks import Normalizer, PolicyModule, TrainedPolicy
from offline_trainer_core.types import Exactness, RunInfo, SchedulerBundle, TrainState

__all__ = ["RunContext"]


@dataclass
class RunContext:
    """The state and the parts of a run, for everything that observes it."""

    run: RunInfo
    state: TrainState
    collectives: Collectives
    models: dict[str, nn.Module]
    """The model components by name, without wrappers."""
    optimizers: dict[str, Optimizer] = field(default_factory=dict)
    schedulers: dict[str, SchedulerBundle] = field(default_factory=dict)
    algorithm: Any = None
    datamodule: Any = None
    io: Any = None
    loss: Any = None
    normalizer: Normalizer | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    loggers: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Mapping[str, Any] = field(default_factory=dict)
    max_epochs: int | None = None
    max_steps: int | None = None
    """Optimizer steps of the whole run, where they are known."""
    steps_per_epoch: int | None = None
    last_train_logs: dict[str, float] = field(default_factory=dict)
    last_val_logs: dict[str, float] = field(default_factory=dict)
    last_eval_results: dict[str, float] = field(default_factory=dict)
    best: tuple[str, float] | None = None
    """What the best checkpoint is chosen by, as `stage/name`, and the best value so far."""
    last_grad_norm: Tensor | None = None
    stop_reason: str | None = None
    ended_by: str | None = None
    """The first reason for which the run is to count as finished."""
    resumable: bool = False
    """Whether the run was stopped before its end and is to be resumed."""
    save_at_end: bool = True
    """Whether the state of the last step is saved when the run is finished; a run that is stopped always saves."""
    exactness: Exactness | None = None
    """How far the run repeats the one that was interrupted; None where it was not resumed."""
    previous_step: int = 0
    """`state.global_step` when the step before this one ended."""
    on_log: Callable[..., Any] | None = None
    saver: Callable[..., Path] | None = None

    @classmethod
    def of(cls, parts: Mapping[str, Any]) -> RunContext:
        """Return the context of a run that begins with `parts`."""
        context = cls(parts["run"], TrainState(), parts["collectives"], dict(parts["models"]))
        for name in ("algorithm", "datamodule", "io", "loss"):
            setattr(context, name, parts.get(name))
        for name in ("metrics", "loggers", "callbacks"):
            setattr(context, name, parts.get(name) or {})
        return context

    @property
    def model(self) -> nn.Module:
        """The only model component, or the first one."""
        return next(iter(self.models.values()))

    @property
    def optimizer(self) -> Optimizer:
        """The only optimizer, or the first one."""
        return next(iter(self.optimizers.values()))

    @property
    def scheduler(self) -> SchedulerBundle | None:
        """The only scheduler, or the first one; None where there is none."""
        return next(iter(self.schedulers.values()), None)

    def due(self, every_n_steps: int | None) -> bool:
        """Whether the step that just ended completed a multiple of `every_n_steps` optimizer steps."""
        if not every_n_steps:
            return False
        return self.state.global_step // every_n_steps > self.previous_step // every_n_steps

    def log(self, metrics: Mapping[str, float], stage: str = "train") -> None:
        """Give `metrics` to every logger, at the current step."""
        step = self.state.global_step
        if self.run.is_main:
            for logger in self.loggers.values():
                if hasattr(logger, "log_metrics"):
                    logger.log_metrics(metrics, step=step, stage=stage)
        if self.on_log is not None:
            self.on_log(context=self, metrics=metrics, step=step, stage=stage)

    def stop(self, reason: str, *, resumable: bool = False) -> None:
        """End the run at a step boundary; any process may ask, and all of them end together.

        The run counts as finished, or, if it is `resumable`, as stopped before its end.
        """
        self.stop_reason = self.stop_reason or reason
        self.resumable = self.resumable or resumable
        if not resumable:
            self.ended_by = self.ended_by or reason

    def save_checkpoint(self, name: str | None = None, asynchronous: bool = False) -> Path:
        """Have everything saved that the run needs to go on; every process calls this.

        It happens at the next boundary, when all listeners have heard of the step or of the epoch, so that the
        checkpoint resumes exactly; at once where there is no further step. Return the folder that it will have, by
        default named after the step of that boundary; to ask twice for one name is to ask once.
        """
        assert self.saver is not None, "a run without a checkpoint store cannot save"
        return self.saver(name, asynchronous)

    def policy(self, watch: Callable[[], None] = lambda: None) -> TrainedPolicy:
        """Return the policy as it is now: raw observations in, raw actions out; `watch()` precedes every action."""
        assert self.normalizer is not None
        module = PolicyModule(self.algorithm, self.models, self.normalizer)
        return TrainedPolicy(module, self.run.device, watch)
