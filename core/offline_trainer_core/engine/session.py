"""A run in progress: what a trainer's loop is made of."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from offline_trainer_core.engine.assembly import Assembly
from offline_trainer_core.engine.exactness import judged
from offline_trainer_core.engine.loggers import close_loggers, open_loggers
from offline_trainer_core.engine.prepare import LoopSettings
from offline_trainer_core.engine.saving import Restored, name_of
from offline_trainer_core.engine.validation import compute_metrics
from offline_trainer_core.errors import DataError
from offline_trainer_core.networks import seed_everything
from offline_trainer_core.types import Exactness, RunResult

__all__ = ["Session"]

log = logging.getLogger("offline_trainer_core")


class Session:
    """Everything between `fit`'s parts and a result.

    Its parts are prepared when it is made, restored when it is entered, and closed when it is left; between the two a
    trainer's loop calls its methods. Once the run is interrupted they do nothing more, and the loop finds it `done`:
    what they left out is done after the resume.
    """

    def __init__(self, parts: Mapping[str, Any], settings: LoopSettings) -> None:
        made = Assembly(parts, settings)
        self.settings, self.hooks = settings, made.hooks
        self.context, self.state = made.context, made.context.state
        self.context.saver = self._request
        self._workshop, self._move = made.workshop, made.move
        self._epochs, self._generators = made.epochs, made.generators
        self._updates, self._stepper, self._window = made.updates, made.stepper, made.window
        self._guard, self._inquest = made.guard, made.inquest
        self._trials, self._stops = made.trials, made.stops
        self._progress, self._last, self._saver = made.progress, made.last, made.saver

    def __enter__(self) -> Session:
        run = self.context.run
        seed_everything(run.seed, run.rank)
        restored = self._saver.restore()
        if restored is not None:
            self._progress.resume()
            self.context.exactness = self._judge(restored)
        self._inquest.folder = run.dir / "nonfinite"
        with ExitStack() as on_failure:
            on_failure.enter_context(self._stops)
            # What listeners draw when they start, they have drawn in the run that is resumed.
            with self._generators.kept() if restored else nullcontext():
                self._begin()
            self._saver.at_boundary()
            self._stops.at_boundary(regular=True)
            on_failure.pop_all()
        return self

    def _judge(self, restored: Restored) -> Exactness:
        """Return how far the run will repeat the one that was interrupted; its checkpoints will tell."""
        shop, progress = self._workshop, self._progress
        exactness = judged(self.context, restored, shop.train_loader, shop.train_metrics, shop.slots.values())
        if self.done:
            log.warning("%s is at step %d already: nothing left to train", restored.source, self.state.global_step)
        elif progress.finishing:
            progress.finishing = False
            exactness = exactness.lowered("order-only", "it was saved after a run that was shorter")
        self._saver.note_resume(exactness)
        return exactness

    def _begin(self) -> None:
        """Open the loggers, and tell all listeners that the run begins or goes on."""
        context = self.context
        open_loggers(context)
        self.hooks.fire("on_fit_start", context=context)
        if context.exactness is not None:
            if context.run.is_main:
                log.info("resume: %s", context.exactness)
            self.hooks.fire("on_resume", context=context, exactness=context.exactness)

    def restore_policy(self) -> None:
        """Take back from the checkpoint that `run.resume_from` names what the policy needs, to evaluate it."""
        self._saver.restore_policy()

    def __exit__(self, kind: Any, exception: BaseException | None, traceback: Any) -> None:
        try:
            if exception is not None:
                self.hooks.fire("on_exception", context=self.context, exception=exception)
            else:
                self._saver.ended = True
                self._saver.at_boundary()
                self.hooks.fire("on_fit_end", context=self.context)
        finally:
            self._stops.__exit__()
            close_loggers(self.context)
            self._workshop.close()

    @property
    def interrupted(self) -> bool:
        """Whether the run was asked to stop before its end; it can be resumed."""
        return self._stops.interrupted

    @property
    def done(self) -> bool:
        """Whether the run has reached its last epoch or step, or was asked to stop.

        An epoch that is complete is ended first, unless the run is interrupted.
        """
        if self.epoch_complete and not self.interrupted:
            return False
        limits, state = self.settings, self.state
        return (
            self._stops.stopping
            or (limits.max_epochs is not None and state.epoch >= limits.max_epochs)
            or (limits.max_steps is not None and state.global_step >= limits.max_steps)
        )

    @property
    def epoch_complete(self) -> bool:
        """Whether the epoch's last batch is trained on, so that `end_epoch` is next."""
        return self._progress.epoch_complete

    def should_stop(self) -> bool:
        """Whether to leave the epoch at this step boundary; every process answers alike."""
        self._stops.at_boundary()
        return self.done

    def batches(self) -> Iterator[tuple[Any, bool]]:
        """Begin or resume the epoch: yield its batches on the device, each with whether it is the last.

        The batch of a step that a resume finds open comes again, for `train_on` to take note of it.
        """
        state, move = self.state, self._move
        start = state.micro_step_in_epoch
        with self._generators.kept() if start else nullcontext():
            self.hooks.fire("on_epoch_start", context=self.context, epoch=state.epoch)
        batches = self._epochs.batches(state.epoch, start, again=self._progress.repeats)
        self._stops.begin()
        for batch, last in batches:
            yield move(batch), last
        if state.micro_step_in_epoch == 0:
            raise DataError(f"epoch {state.epoch} has no batch: the training data is empty")
        self._progress.epoch_complete = True

    def train_on(self, batch: Any, last: bool) -> bool:
        """Train on one batch; return whether it completed an optimizer step, which `end_step` is to close.

        A step that a resume finds open is complete, and not trained again.
        """
        progress = self._progress
        progress.epoch_complete = last
        if progress.repeats:
            progress.repeats = False
            return True
        self._inquest.batch = batch
        logs = self._updates.train_on(batch, last)
        if logs is None:
            return False
        self._last.logs = logs
        progress.open = True
        return True

    def log_train(self) -> None:
        """Read what was logged since the last time from the device, and give it to the loggers."""
        if self._progress.done_before(self._progress.logged_at):
            return
        self._guard.read()
        self.context.last_train_logs = {**self._window.read(), **self._workshop.learning_rates()}
        self.context.log(self.context.last_train_logs)
        self._progress.logged_at = self.state.global_step

    def end_step(self) -> None:
        """Tell the listeners that a step is complete: logged, validated, counted."""
        if self.interrupted:
            return
        if self.hooks.on_train_step_end is not None:
            self.hooks.on_train_step_end(context=self.context, logs=self._last.logs)
        self._progress.open = False
        self._saver.at_boundary()

    def end_epoch(self) -> None:
        """Count the epoch, and tell schedules and listeners."""
        if self.interrupted:
            return
        epoch = self.state.epoch
        self.state.epoch, self.state.micro_step_in_epoch = epoch + 1, 0
        self._progress.open = self._progress.epoch_complete = False
        self._stepper.end_epoch(epoch + 1)
        metrics = compute_metrics(self._workshop.train_metrics, self.context.collectives)
        if metrics:
            self.context.log(metrics)
        self.hooks.fire("on_epoch_end", context=self.context, epoch=epoch)
        self._saver.at_boundary()
        self._stops.at_boundary(regular=True)

    @property
    def validated(self) -> bool:
        """Whether validation has seen the weights of this step."""
        return self._progress.validated_at == self.state.global_step

    @property
    def evaluated(self) -> bool:
        """Whether evaluation has seen the weights of this step."""
        return self._progress.evaluated_at == self.state.global_step

    def validate(self) -> dict[str, float]:
        """Return means over all validation samples; nothing where there is no validation, or it was interrupted."""
        if self.interrupted:
            return {}
        if self._progress.done_before(self._progress.validated_at):
            return self.context.last_val_logs
        means = self._trials.validate()
        if means is None:
            return {}
        if means:
            self._stepper.report(means)
        self._progress.validated_at = self.state.global_step
        return means

    def evaluate(self) -> dict[str, float]:
        """Return the scores of the policy in the run's evaluations; the main process does them."""
        if self.interrupted:
            return {}
        if self._progress.done_before(self._progress.evaluated_at):
            return self.context.last_eval_results
        scores = self._trials.evaluate()
        if scores is None:
            return {}
        self._progress.evaluated_at = self.state.global_step
        return scores

    def finish(self, validate: bool = True) -> None:
        """Log, validate (if asked to) and evaluate what the last step left open.

        The checkpoint of the end is saved before: a run with more steps does none of this here.
        """
        if self.interrupted:
            return
        self._save_last()
        self._progress.finishing = True
        if not self._window.empty:
            self.log_train()
        if validate and not self.validated:
            self.validate()
        if not self.evaluated:
            self.evaluate()
        self._saver.ended = True
        self._saver.at_boundary()

    def result(self) -> RunResult:
        """Save the state if that is still to do, and return how the run ended."""
        context = self.context
        self._saver.at_boundary()
        self._save_last()
        self._saver.wait()
        stages = {"train": context.last_train_logs, "val": context.last_val_logs, "eval": context.last_eval_results}
        metrics = {f"{stage}/{name}": value for stage, logs in stages.items() for name, value in logs.items()}
        reason = context.stop_reason or ""
        return RunResult(context.run.dir, self.state, metrics, "stopped" if self.interrupted else "finished", reason)

    def _request(self, name: str | None, asynchronous: bool) -> Path:
        return self._saver.request(name or name_of(self._updates.next_boundary), asynchronous)

    def _save_last(self) -> None:
        if self.context.run.checkpoints is not None and (self.context.save_at_end or self.interrupted):
            self._saver.save_last()
