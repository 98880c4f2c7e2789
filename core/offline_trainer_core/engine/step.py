"""One update's way from a loss to new weights, once, for every algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from offline_trainer_core.engine.guard import Guard
from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.engine.precision import Precision
from offline_trainer_core.engine.slot import OptimizerSlot
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import TrainState

__all__ = ["Stepper"]


class Stepper:
    """The `step` that an algorithm's `update` receives: precision, accumulation, guard, clipping and schedules."""

    def __init__(
        self,
        slots: Mapping[str, OptimizerSlot],
        *,
        state: TrainState,
        precision: Precision,
        guard: Guard,
        hooks: Hooks,
        context: Any,
        device: torch.device,
        metrics: tuple[Any, ...],
        trainable: int,
        grad_clip_norm: float | None,
    ) -> None:
        """`trainable` counts the parameters with gradients of all models: where one optimizer owns them all, backward
        need not be told where gradients go."""
        self.slots = dict(slots)
        self.device = device
        self.boundary = True
        self.last_grad_norm: Tensor | None = None
        self._state = state
        self._precision = precision
        self._guard = guard
        self._context = context
        self._metrics = metrics
        self._trainable = trainable
        self._clip = grad_clip_norm
        self._post_loss: Callable[..., Any] | None = hooks.post_loss
        self._take_over: Callable[..., Any] | None = hooks.optimizer
        self._groups: dict[str | tuple[str, ...], tuple[tuple[OptimizerSlot, ...], list[Tensor] | None]] = {}
        self._names = tuple(self.slots)

    @property
    def global_step(self) -> int:
        """Optimizer steps completed before this update."""
        return self._state.global_step

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The names of all optimizers."""
        return self._names

    def every(self, n: int) -> bool:
        """Whether this update is an n-th one; the first of a run is."""
        return self._state.global_step % n == 0

    def observe(self, *, outputs: Any, targets: Any, batch: Any) -> None:
        """Show outputs to the metrics of training; costs nothing where there are none."""
        for metric in self._metrics:
            metric.update(outputs=outputs, targets=targets, batch=batch, stage="train")

    def optimize(self, names: str | tuple[str, ...], loss: Tensor) -> None:
        """Minimise `loss` with the named optimizers. See `protocols.Step.optimize`."""
        slots, inputs = self._groups.get(names) or self._group(names)
        if self._post_loss is not None:
            loss = self._post_loss(context=self._context, names=tuple(s.name for s in slots), loss=loss)
        self._precision.scale(loss).backward(inputs=inputs)  # type: ignore[no-untyped-call]
        for slot in slots:
            slot.pending += 1
            if self.boundary:
                self._step(slot, loss)

    def _group(self, names: str | tuple[str, ...]) -> tuple[tuple[OptimizerSlot, ...], list[Tensor] | None]:
        wanted = (names,) if isinstance(names, str) else names
        unknown = [name for name in wanted if name not in self.slots]
        if unknown:
            raise ComponentError(f"no optimizer {unknown[0]!r}; this run has: {', '.join(self.slots)}")
        slots = tuple(self.slots[name] for name in wanted)
        inputs = [p for slot in slots for p in slot.parameters]
        group = (slots, None if len(inputs) == self._trainable else inputs)
        self._groups[names] = group
        return group

    def _step(self, slot: OptimizerSlot, loss: Tensor) -> None:
        divisor, slot.pending = slot.pending, 0
        optimizer, scaler = slot.optimizer, self._precision.scaler
        if scaler is not None:
            scaler.unscale_(optimizer)
        gradients = [p.grad for p in slot.parameters if p.grad is not None]
        if scaler is None:
            proceed = self._guard.pass_gradients(gradients, loss, divisor, optimizer)
        else:
            proceed = True
            if divisor != 1:
                torch._foreach_div_(gradients, divisor)
        if proceed:
            if self._clip is not None and gradients:
                self.last_grad_norm = get_total_norm(gradients)
                clip_grads_with_norm_(slot.parameters, self._clip, self.last_grad_norm)
            self._call(slot, loss)
        for parameter in slot.parameters:
            parameter.grad = None
        slot.steps += 1
        self._schedule(slot, "step")

    def _call(self, slot: OptimizerSlot, loss: Tensor) -> None:
        optimizer, scaler = slot.optimizer, self._precision.scaler
        taken = self._take_over is not None and self._take_over(
            context=self._context, name=slot.name, optimizer=optimizer, loss=loss
        )
        if taken:
            return
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()

    def _schedule(self, slot: OptimizerSlot, interval: str) -> None:
        bundle = slot.schedule
        if bundle is not None and bundle.interval == interval and slot.steps % bundle.frequency == 0:
            bundle.scheduler.step()

    def end_epoch(self, epoch: int) -> None:
        """Step the schedules that count in epochs; `epoch` is the number of completed ones."""
        for slot in self.slots.values():
            slot.epochs = epoch
            bundle = slot.schedule
            if bundle is not None and bundle.interval == "epoch" and epoch % bundle.frequency == 0:
                bundle.scheduler.step()

    def report(self, metrics: Mapping[str, float]) -> None:
        """Step the schedules that watch a metric; raises `ComponentError` where validation does not give it."""
        for slot in self.slots.values():
            bundle = slot.schedule
            if bundle is None or bundle.interval != "metric":
                continue
            monitor = (bundle.monitor or "").removeprefix("val/")
            if monitor not in metrics:
                raise ComponentError(
                    f"the scheduler of '{slot.name}' monitors '{bundle.monitor}', and validation gives: "
                    f"{', '.join(metrics) or 'nothing'}"
                )
            bundle.scheduler.step(metrics[monitor])
