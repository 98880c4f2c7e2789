"""Learning-rate schedules: those of torch by name, and the two that policies are usually trained with."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import ComponentOf, NonNegativeInt, PositiveInt, SchedulerBundle, UnitInterval
from ot_builtins.construct import construct

__all__ = ["TorchScheduler", "WarmupCosine", "WarmupLinear"]

log = logging.getLogger(__name__)


class TorchScheduler:
    """Builds a scheduler of `torch.optim.lr_scheduler` by its class name, or another by the rest of its `sched_cls.`
    key.

    Args:
        type: `CosineAnnealingLR`, `StepLR`, ..., or `myteam.Wave` for `sched_cls.myteam.Wave`.
        args: Positional arguments of the class after the optimizer.
        kwargs: Keyword arguments of the class.
        interval: What it counts: optimizer steps (`step`), epochs (`epoch`), or reports of a metric (`metric`).
        frequency: It steps at every `frequency`-th of those.
        monitor: The metric, such as `val/loss`; needed with `interval: metric`, and only there.

    Raises:
        ComponentError: The class is not known or refuses its arguments, or `interval` and `monitor` do not fit it.
    """

    def __init__(
        self,
        type: Annotated[str, ComponentOf("sched_cls", args="args", kwargs="kwargs")],  # noqa: A002 - the name in the configuration
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        interval: Literal["step", "epoch", "metric"] = "step",
        frequency: PositiveInt = 1,
        monitor: str | None = None,
    ) -> None:
        self._key = type if type.startswith("sched_cls.") else f"sched_cls.{type}"
        if interval not in ("step", "epoch", "metric"):
            raise ComponentError(f"{self._key}: interval is step, epoch or metric, not '{interval}'")
        if frequency < 1:
            raise ComponentError(f"{self._key}: frequency is {frequency}; it must be at least 1")
        if (interval == "metric") != (monitor is not None):
            raise ComponentError(f"{self._key}: 'interval: metric' and 'monitor' go together; give both, or neither")
        self._args, self._kwargs = tuple(args), dict(kwargs or {})
        self._interval, self._frequency, self._monitor = interval, frequency, monitor

    def build(self, optimizer: Optimizer, *, registry: Any) -> SchedulerBundle:
        """Return the scheduler of `optimizer`, and when to step it."""
        target = registry.get_module(self._key).target
        reads_metric = "metrics" in inspect.signature(target.step).parameters
        if reads_metric and self._interval != "metric":
            raise ComponentError(f"{self._key} reacts to a metric: set 'interval: metric' and 'monitor'")
        if self._interval == "metric" and not reads_metric:
            raise ComponentError(f"{self._key} reads no metric: set 'interval: step' or 'interval: epoch'")
        scheduler = construct(target, self._key, optimizer, self._args, self._kwargs)
        return SchedulerBundle(scheduler, self._interval, self._frequency, self._monitor)


class WarmupCosine:
    """A linear rise from 0, then half a cosine down to `min_ratio` times the learning rate (Loshchilov & Hutter 2017).

    Args:
        warmup_steps: Optimizer steps of the rise.
        total_steps: Optimizer steps until the end of the descent; by default those of the whole run.
        min_ratio: What remains at the end and after it, as a part of the learning rate.

    Raises:
        ComponentError: A number is out of range, or `total_steps` is not given and the run's length is not known.
    """

    def __init__(
        self,
        warmup_steps: NonNegativeInt = 0,
        total_steps: PositiveInt | None = None,
        min_ratio: UnitInterval = 0.0,
    ) -> None:
        _refuse_impossible("sched_factory.warmup_cosine", warmup_steps, total_steps, min_ratio)
        self._warmup_steps, self._total_steps, self._min_ratio = warmup_steps, total_steps, min_ratio

    def build(self, optimizer: Optimizer, *, registry: Any, total_steps: int | None = None) -> SchedulerBundle:
        """Return the schedule, stepped at every optimizer step."""
        total = _known("sched_factory.warmup_cosine", self._total_steps, total_steps, self._warmup_steps)
        return SchedulerBundle(LambdaLR(optimizer, _WarmupDecay("cosine", self._warmup_steps, total, self._min_ratio)))


class WarmupLinear:
    """A linear rise from 0, then a linear descent to `min_ratio` times the learning rate.

    Arguments and errors are those of `sched_factory.warmup_cosine`.
    """

    def __init__(
        self,
        warmup_steps: NonNegativeInt = 0,
        total_steps: PositiveInt | None = None,
        min_ratio: UnitInterval = 0.0,
    ) -> None:
        _refuse_impossible("sched_factory.warmup_linear", warmup_steps, total_steps, min_ratio)
        self._warmup_steps, self._total_steps, self._min_ratio = warmup_steps, total_steps, min_ratio

    def build(self, optimizer: Optimizer, *, registry: Any, total_steps: int | None = None) -> SchedulerBundle:
        """Return the schedule, stepped at every optimizer step."""
        total = _known("sched_factory.warmup_linear", self._total_steps, total_steps, self._warmup_steps)
        return SchedulerBundle(LambdaLR(optimizer, _WarmupDecay("linear", self._warmup_steps, total, self._min_ratio)))


@dataclass
class _WarmupDecay:
    """The factor of the learning rate at a step. An object, since a scheduler's state leaves functions out."""

    shape: Literal["cosine", "linear"]
    warmup_steps: int
    total_steps: int
    min_ratio: float

    def __call__(self, step: int) -> float:
        if step < self.warmup_steps:
            return step / self.warmup_steps
        progress = min(1.0, (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps))
        remaining = 0.5 * (1.0 + math.cos(math.pi * progress)) if self.shape == "cosine" else 1.0 - progress
        return self.min_ratio + (1.0 - self.min_ratio) * remaining


def _refuse_impossible(key: str, warmup_steps: int, total_steps: int | None, min_ratio: float) -> None:
    if warmup_steps < 0 or (total_steps is not None and total_steps < 1) or not 0 <= min_ratio <= 1:
        raise ComponentError(
            f"{key}: warmup_steps must be at least 0, total_steps at least 1, and min_ratio between 0 and 1; they are "
            f"{warmup_steps}, {total_steps} and {min_ratio}"
        )


def _known(key: str, configured: int | None, of_run: int | None, warmup_steps: int) -> int:
    total = configured if configured is not None else of_run
    if total is None:
        raise ComponentError(f"{key}: the length of this run is not known beforehand: set total_steps")
    if warmup_steps >= total:
        log.warning("%s: the run ends after %d steps, within the warm-up of %d", key, total, warmup_steps)
    return total
