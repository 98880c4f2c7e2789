"""How a session is put together: every part is made once, and is given the others that it works with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline_trainer_core.engine.batches import mover
from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.epochs import Epochs, generators_of
from offline_trainer_core.engine.guard import Guard, Place
from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.engine.inquest import Inquest
from offline_trainer_core.engine.logs import LogWindow
from offline_trainer_core.engine.precision import Precision
from offline_trainer_core.engine.prepare import LoopSettings, furnish
from offline_trainer_core.engine.progress import LastStep, Progress
from offline_trainer_core.engine.saving import Saver, shared_parts
from offline_trainer_core.engine.seeding import Generators
from offline_trainer_core.engine.state import is_stateful
from offline_trainer_core.engine.step import Stepper
from offline_trainer_core.engine.stopping import Stops
from offline_trainer_core.engine.trials import Trials
from offline_trainer_core.engine.updates import Updates

__all__ = ["Assembly"]


class Assembly:
    """The parts of a session, ready to train. Their order is that in which they need each other."""

    def __init__(self, parts: Mapping[str, Any], settings: LoopSettings) -> None:
        run = parts["run"]
        self._parts, self._settings = parts, settings
        self.context = RunContext.of(parts)
        self.hooks = Hooks({**self.context.callbacks, **(parts.get("plugins") or {})})
        self.context.on_log = self.hooks.on_log
        self.workshop = furnish(parts, self.context, settings)
        self.move = mover(run.device, self.workshop.train_loader)
        self.precision = Precision(run.precision, run.device)
        self.window = LogWindow(parts["collectives"], run.device)
        self.inquest = Inquest(self.context, self.workshop.train_loader, self.move, self._differentiate)
        self.guard = Guard(
            settings.on_nonfinite, run.device, where=self._where, inquire=self.inquest, window=self.window
        )
        self.stepper = self._stepper()
        self.updates = self._updates()
        self.generators = Generators(run.device, generators_of(self.workshop.train_loader))
        self.epochs = Epochs(self.workshop.train_loader, self.generators)
        self.stops = Stops(self.context)
        self.trials = self._trials()
        self.progress, self.last = Progress(context=self.context), LastStep(self.context)
        self.saver = self._saver()

    def _stepper(self) -> Stepper:
        return Stepper(
            self.workshop.slots,
            models=self.context.models,
            state=self.context.state,
            precision=self.precision,
            guard=self.guard,
            hooks=self.hooks,
            context=self.context,
            device=self.context.run.device,
            metrics=tuple(self.workshop.train_metrics.values()),
            grad_clip_norm=self._settings.grad_clip_norm,
        )

    def _updates(self) -> Updates:
        return Updates(
            self.context,
            settings=self._settings,
            hooks=self.hooks,
            stepper=self.stepper,
            precision=self.precision,
            strategy=self._parts["strategy"],
            replicas=self.workshop.replicas.values(),
            window=self.window,
        )

    def _trials(self) -> Trials:
        return Trials(
            self.context,
            loader=self.workshop.val_loader,
            evaluations=self._parts.get("evaluations") or {},
            replicas=self.workshop.replicas.values(),
            strategy=self._parts["strategy"],
            precision=self.precision,
            generators=self.generators,
            stops=self.stops,
            hooks=self.hooks,
        )

    def _saver(self) -> Saver:
        context = self.context
        made = {
            "slots": self.workshop.slots,
            "precision": self.precision,
            "guard": self.guard,
            "progress": self.progress,
        }
        shared = shared_parts(context, {**self._parts, **made})
        own = {
            "generators": self.generators,
            "epoch": self.epochs,
            "logs": self.window,
            "step": self.last,
            **{f"train_metrics.{name}": m for name, m in self.workshop.train_metrics.items() if is_stateful(m)},
            **({"datamodule": context.datamodule} if is_stateful(context.datamodule) else {}),
        }
        if not context.run.is_main and "algorithm" in shared:
            own["algorithm"] = context.algorithm  # a target network copies buffers, which are each process's own
        return Saver(context, shared=shared, own=own, progress=self.progress, hooks=self.hooks, guard=self.guard)

    def _differentiate(self, batch: Any) -> Mapping[str, Any]:
        return self.updates.differentiate(batch)  # asked for after a step, when there are updates

    def _where(self, backward_passes: int) -> Place:
        state = self.context.state
        batches = min(backward_passes, self._settings.grad_accum_steps)
        return Place(state.global_step + 1, state.epoch, state.micro_step_in_epoch - 1, batches)
