"""One update's way from a loss to new weights, once, for every algorithm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

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
        models: Mapping[str, nn.Module],
        state: TrainState,
        precision: Precision,
        guard: Guard,
        hooks: Hooks,
        context: Any,
        device: torch.device,
        metrics: tuple[Any, ...],
        grad_clip_norm: float | None,
    ) -> None:
        """`models` are all models of the run, whether `slots` train them or not."""
        self.slots = dict(slots)
        self.device = device
        self.boundary = True
        self.last_grad_norm: Tensor | None = None
        self._state = state
        self._precision = precision
        self._guard = guard
        self._context = context
        self._metrics = metrics
        self._clip = grad_clip_norm
        self._post_loss: Callable[..., Any] | None = hooks.post_loss
        self._take_over: Callable[..., Any] | None = hooks.optimizer
        self._names = tuple(self.slots)
        self._owns_all = _owns_all(self.slots.values(), models.values())
        self._groups: dict[str | tuple[str, ...], tuple[tuple[OptimizerSlot, ...], bool]] = {}
        """Names of optimizers → their slots, and whether these own everything that has gradients."""

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
        slots, everything = self._groups.get(names) or self._group(names)
        if self._post_loss is not None:
            loss = self._post_loss(context=self._context, names=tuple(s.name for s in slots), loss=loss)
        # Asked for anew every time: callbacks freeze and unfreeze parameters.
        inputs = None if everything else [p for slot in slots for p in slot.parameters if p.requires_grad]
        if inputs is None or inputs:
            self._precision.scale(loss).backward(inputs=inputs)  # type: ignore[no-untyped-call]
        for slot in slots:
            slot.pending += 1
            if self.boundary:
                self._step(slot, loss)

    def _group(self, names: str | tuple[str, ...]) -> tuple[tuple[OptimizerSlot, ...], bool]:
        wanted = (names,) if isinstance(names, str) else names
        unknown = [name for name in wanted if name not in self.slots]
        if unknown:
            raise ComponentError(f"no optimizer {unknown[0]!r}; this run has: {', '.join(self.slots)}")
        slots = tuple(self.slots[name] for name in wanted)
        group = self._groups[names] = (slots, self._owns_all and len(slots) == len(self.slots))
        return group

    def _step(self, slot: OptimizerSlot, loss: Tensor) -> None:
        divisor, slot.pending = slot.pending, 0
        gradients = [p.grad for p in slot.parameters if p.grad is not None]
        # There are none where all that the optimizer owns is frozen for the moment.
        if gradients and self._average(gradients, loss, divisor, slot.optimizer):
            if self._clip is not None:
                self.last_grad_norm = get_total_norm(gradients)
                clip_grads_with_norm_(slot.parameters, self._clip, self.last_grad_norm)
            self._call(slot, loss)
        for parameter in slot.parameters:
            parameter.grad = None
        slot.steps += 1
        self._schedule(slot, "step")

    def _average(self, gradients: list[Tensor], loss: Tensor, divisor: int, optimizer: Optimizer) -> bool:
        """Make of the gradients of `divisor` batches their mean; return whether the optimizer may step on it."""
        scaler = self._precision.scaler
        if scaler is None:
            return self._guard.pass_gradients(gradients, loss, divisor, optimizer)
        scaler.unscale_(optimizer)
        if divisor != 1:
            torch._foreach_div_(gradients, divisor)
        return True

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


def _owns_all(slots: Iterable[OptimizerSlot], models: Iterable[nn.Module]) -> bool:
    """Whether every parameter with gradients has an optimizer, so that backward need not be told where they go."""
    owned = {id(parameter) for slot in slots for parameter in slot.parameters}
    return all(id(p) in owned for model in models for p in model.parameters() if p.requires_grad)
