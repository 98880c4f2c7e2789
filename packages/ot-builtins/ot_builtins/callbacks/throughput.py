"""How fast a run trains, and how long it waits for data."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from offline_trainer_core import hookimpl
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.nest import leaves
from offline_trainer_core.types import PositiveInt

__all__ = ["Throughput"]


class Throughput:
    """Logs `steps_per_second`, `samples_per_second` (of all processes) and `data_wait`, every `every_n_steps` steps.

    `data_wait` is the share of the time, between 0 and 1, in which training stood still for the next batch.
    Validations and evaluations do not count.
    """

    harmless = True

    def __init__(self, every_n_steps: PositiveInt = 50) -> None:
        if every_n_steps < 1:
            raise ComponentError(f"cb.throughput: every_n_steps is at least 1, not {every_n_steps}")
        self.every_n_steps = every_n_steps
        self._began: float | None = None
        self._first_step = 0
        self._samples = 0
        self._waited = 0.0
        self._paused = 0.0
        self._idle_since = 0.0

    def on_epoch_start(self, context: Any) -> None:
        if self._began is None:
            self._begin(context.state.global_step)
        self._idle_since = perf_counter()

    def batch_process(self, batch: Any) -> None:
        self._waited += perf_counter() - self._idle_since
        self._samples += _batch_size(batch)

    def post_steps(self) -> None:
        self._idle_since = perf_counter()

    @hookimpl(tryfirst=True)
    def on_validation_start(self) -> None:
        self._idle_since = perf_counter()

    @hookimpl(trylast=True)
    def on_validation_end(self) -> None:
        self._paused += perf_counter() - self._idle_since

    @hookimpl(tryfirst=True)
    def on_evaluation_start(self) -> None:
        self._idle_since = perf_counter()

    @hookimpl(trylast=True)
    def on_evaluation_end(self) -> None:
        self._paused += perf_counter() - self._idle_since

    @hookimpl(trylast=True)
    def on_train_step_end(self, context: Any) -> None:
        if context.due(self.every_n_steps):
            context.log(self._rates(context))
            self._begin(context.state.global_step)
        self._idle_since = perf_counter()

    def _rates(self, context: Any) -> dict[str, float]:
        assert self._began is not None, "an epoch has begun"
        seconds = perf_counter() - self._began - self._paused
        return {
            "steps_per_second": (context.state.global_step - self._first_step) / seconds,
            "samples_per_second": self._samples * context.run.world_size / seconds,
            "data_wait": self._waited / seconds,
        }

    def _begin(self, step: int) -> None:
        self._began, self._first_step = perf_counter(), step
        self._samples, self._waited, self._paused = 0, 0.0, 0.0


def _batch_size(batch: Any) -> int:
    """Return the first dimension of the first tensor."""
    return next((len(leaf) for _, leaf in leaves(batch) if getattr(leaf, "ndim", 0) > 0), 0)
