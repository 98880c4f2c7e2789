"""The stages of one batch: from the loader's hands to new weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.engine.logs import LogWindow
from offline_trainer_core.engine.precision import Precision
from offline_trainer_core.engine.prepare import LoopSettings
from offline_trainer_core.engine.step import Stepper

__all__ = ["Updates"]


class Updates:
    """Carries batches through an algorithm's updates, with the hooks around them; only listeners cost anything."""

    def __init__(
        self,
        context: RunContext,
        *,
        settings: LoopSettings,
        hooks: Hooks,
        stepper: Stepper,
        precision: Precision,
        strategy: Any,
        replicas: Iterable[nn.Module],
        window: LogWindow,
    ) -> None:
        self._context = context
        self._state = context.state
        self._settings = settings
        self._hooks = hooks
        self._stepper = stepper
        self._update = context.algorithm.update
        self._precision = precision
        self._mixed = precision.name != "fp32"
        self._strategy = strategy
        self._replicas = list(replicas)
        self._window = window
        self._waiting = 0
        self._normalize = None if context.normalizer is None or context.normalizer.is_idle else context.normalizer

    @property
    def next_boundary(self) -> int:
        """The optimizer step that will be completed next, or has just been."""
        if self._waiting:
            return self._context.previous_step + self._settings.optim_steps_per_batch
        return self._state.global_step

    def train_on(self, batch: Any, last: bool) -> Mapping[str, Any] | None:
        """Train on one batch, the epoch's `last` or not; return the logs of a completed step, else None."""
        context, hooks, state = self._context, self._hooks, self._state
        context.previous_step = state.global_step
        state.micro_step_in_epoch += 1
        self._waiting += 1
        complete = last or self._waiting >= self._settings.grad_accum_steps
        if self._normalize is not None:
            batch = self._normalize(batch)
        if hooks.batch_process is not None:
            batch = hooks.batch_process(context=context, batch=batch)
        if hooks.pre_steps_log is not None:
            self._window.add(hooks.pre_steps_log(context=context, batch=batch))
        if hooks.pre_optim_steps is not None:
            hooks.pre_optim_steps(context=context)
        for _ in range(self._settings.optim_steps_per_batch):
            logs = self._optimize(batch, complete)
            self._window.add(logs)
            if complete:
                state.global_step += 1
                context.last_grad_norm = self._stepper.last_grad_norm
        if hooks.post_steps is not None:
            hooks.post_steps(context=context)
        if hooks.post_steps_log is not None:
            self._window.add(hooks.post_steps_log(context=context, batch=batch))
        if not complete:
            return None
        self._waiting = 0
        return logs

    def differentiate(self, batch: Any) -> Mapping[str, Any]:
        """Leave the gradients of `batch` on the parameters, step on nothing, and return the logs."""
        if self._normalize is not None:
            batch = self._normalize(batch)
        self._stepper.boundary = False
        return self._call(batch, True)

    def _optimize(self, batch: Any, complete: bool) -> Mapping[str, Any]:
        context, hooks = self._context, self._hooks
        if hooks.process_optim_batch is not None:
            batch = hooks.process_optim_batch(context=context, batch=batch)
        self._stepper.boundary = complete
        logs = self._call(batch, complete)
        if hooks.post_optim is not None:
            hooks.post_optim(context=context)
        if hooks.post_optim_log is not None:
            self._window.add(hooks.post_optim_log(context=context, batch=batch))
        return logs

    def _call(self, batch: Any, complete: bool) -> Mapping[str, Any]:
        if not self._mixed and complete:
            return self._update(batch, self._stepper)  # type: ignore[no-any-return]
        if complete:
            with self._precision.autocast():
                return self._update(batch, self._stepper)  # type: ignore[no-any-return]
        with self._strategy.accumulate(self._replicas), self._precision.autocast():
            return self._update(batch, self._stepper)  # type: ignore[no-any-return]
