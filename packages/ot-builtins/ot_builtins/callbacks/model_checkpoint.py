"""Saves the run while it trains, and says which state was the best."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_trainer_core import hookimpl
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import PositiveInt
from ot_builtins.callbacks.monitor import Mode, Monitor
from ot_builtins.destinations import destination

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint:
    """Saves checkpoints into the run folder's `checkpoints/`, named after their optimizer step.

    Saves happen where a step or an epoch is complete, after every other callback has seen it.

    Args:
        save_dir: A second place to which every checkpoint is copied, such as a network drive.
        save_last: Whether the state of the last step is saved too; a run that is stopped always saves.
        every_n_steps: Save every n optimizer steps.
        every_n_epochs: Save every n epochs.
        monitor: Also save when this metric of validation (`loss`) or score of evaluations (`eval/success_rate`) is
            better than ever, and mark that checkpoint as `best`.
        mode: Whether the smallest (`min`) or the largest (`max`) value is best.
        keep_last: Delete all but the newest n and the best; null keeps everything.
        async_save: Go on training as soon as the state is copied to host memory. What was saved is then marked, copied
            and pruned at the next save.
    """

    harmless = True

    def __init__(
        self,
        save_dir: str | None = None,
        save_last: bool = True,
        every_n_steps: PositiveInt | None = None,
        every_n_epochs: PositiveInt | None = None,
        monitor: str | None = None,
        mode: Mode = "min",
        keep_last: PositiveInt | None = None,
        async_save: bool = False,
    ) -> None:
        counts = {"every_n_steps": every_n_steps, "every_n_epochs": every_n_epochs, "keep_last": keep_last}
        for name, value in counts.items():
            if value is not None and value < 1:
                raise ComponentError(f"cb.model_checkpoint: {name} is at least 1, or null; not {value}")
        self.save_dir = save_dir
        self.save_last = save_last
        self.every_n_steps = every_n_steps
        self.every_n_epochs = every_n_epochs
        self.keep_last = keep_last
        self.async_save = async_save
        self._monitor = Monitor(monitor, mode) if monitor else None
        self._best: str | None = None
        """Name of a checkpoint that is yet to be marked as the best."""
        self._saved: list[str] = []
        """Names of checkpoints that are yet to be marked, copied and counted."""

    def on_fit_start(self, context: Any) -> None:
        context.save_at_end = self.save_last
        self._tell_best(context)
        if self._best is not None:
            self._make_up_for_a_kill(context, self._best)

    def on_validation_end(self, context: Any, logs: Mapping[str, float]) -> None:
        self._watch(context, logs, "val")

    def on_evaluation_end(self, context: Any, results: Mapping[str, float]) -> None:
        self._watch(context, results, "eval")

    def on_train_step_end(self, context: Any) -> None:
        if context.due(self.every_n_steps):
            self._save(context)

    def on_epoch_end(self, context: Any, epoch: int) -> None:
        if self.every_n_epochs and (epoch + 1) % self.every_n_epochs == 0:
            self._save(context)

    def on_checkpoint_saved(self, context: Any, path: Path) -> None:
        self._saved.append(path.name)
        if not self.async_save:
            self._settle(context)

    @hookimpl(trylast=True)
    def on_fit_end(self, context: Any) -> None:
        self._settle(context)

    def state_dict(self) -> dict[str, Any]:
        return {"best_value": self._monitor.best if self._monitor else None, "best": self._best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._best = state["best"]
        if self._monitor and state["best_value"] is not None:
            self._monitor.best = state["best_value"]

    def _watch(self, context: Any, metrics: Mapping[str, float], stage: str) -> None:
        if self._monitor is not None and self._monitor.improved(metrics, stage):
            self._tell_best(context)
            # Before it is saved, so that a run resumed from it knows.
            self._best = self._save(context)

    def _tell_best(self, context: Any) -> None:
        if self._monitor is not None and math.isfinite(self._monitor.best):
            context.best = (f"{self._monitor.stage}/{self._monitor.metric}", self._monitor.best)

    def _save(self, context: Any) -> str:
        if self.async_save:
            self._settle(context)
        path: Path = context.save_checkpoint(asynchronous=self.async_save)
        return path.name

    def _make_up_for_a_kill(self, context: Any, best: str) -> None:
        """Mark the best checkpoint as the run that was killed would have; what is not saved is the state now."""
        if context.collectives.broadcast_object(best in context.run.checkpoints.names()):
            self._saved.append(best)
            self._settle(context)
        else:
            context.save_checkpoint(best, asynchronous=self.async_save)

    def _settle(self, context: Any) -> None:
        """Finish what follows a save once it lies on the disk: the mark, the copy, the pruning."""
        store = context.run.checkpoints
        store.wait()
        saved, self._saved = self._saved, []
        if self._best in saved:
            store.mark_best(self._best)
            self._best = None
        if context.run.is_main and self.save_dir is not None:
            self._copy(store, destination(context.run, self.save_dir), saved)
        if self.keep_last is not None:
            store.prune(self.keep_last)

    def _copy(self, store: Any, folder: Path, saved: list[str]) -> None:
        """Bring to `folder` what was saved, and what is missing there because the run was killed."""
        if folder.resolve() == store.dir.resolve():
            return
        copies, best = type(store)(folder), store.best()
        there = copies.names()
        for name in [name for name in store.names() if name in saved or name not in there]:
            partial, final = folder / f".{name}.saving", folder / name
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(store.dir / name, partial)
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
        if best in copies.names():
            copies.mark_best(best)
        if self.keep_last is not None:
            copies.prune(self.keep_last)
