"""A run in progress: what a trainer's loop is made of."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

from offline_trainer_core.engine.batches import mover
from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.epochs import Epochs, generators_of
from offline_trainer_core.engine.exactness import judged
from offline_trainer_core.engine.guard import Guard, Place
from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.engine.inquest import Inquest
from offline_trainer_core.engine.logs import LogWindow
from offline_trainer_core.engine.precision import Precision
from offline_trainer_core.engine.prepare import LoopSettings, Workshop, furnish
from offline_trainer_core.engine.progress import LastStep, Progress
from offline_trainer_core.engine.saving import Restored, Saver, name_of, shared_parts
from offline_trainer_core.engine.seeding import Generators, seed_everything
from offline_trainer_core.engine.state import is_stateful
from offline_trainer_core.engine.step import Stepper
from offline_trainer_core.engine.stopping import Stops
from offline_trainer_core.engine.trials import Trials
from offline_trainer_core.engine.updates import Updates
from offline_trainer_core.engine.validation import compute_metrics
from offline_trainer_core.errors import DataError
from offline_trainer_core.types import RunResult, TrainState

__all__ = ["Session"]

log = logging.getLogger("offline_trainer_core")


class Session:
    """Everything between `fit`'s parts and a result.

    Its parts are prepared when it is made, restored when it is entered, and closed when it is left; between the two a
    trainer's loop calls its methods. Once the run is interrupted they do nothing more, and the loop finds it `done`:
    what they left out is done after the resume.
    """

    def __init__(self, parts: Mapping[str, Any], settings: LoopSettings) -> None:
        run = parts["run"]
        self.settings = settings
        self.state = TrainState()
        self.context = _context(parts, self.state)
        self.hooks = Hooks({**self.context.callbacks, **(parts.get("plugins") or {})})
        self.context.on_log = self.hooks.on_log
        self._workshop = furnish(parts, self.context, settings)
        self._precision = Precision(run.precision, run.device)
        self._window = LogWindow(parts["collectives"], run.device)
        self._move = mover(run.device, self._workshop.train_loader)
        self._inquest = Inquest(self.context, self._workshop.train_loader, self._move, self._differentiate)
        self._guard = Guard(
            settings.on_nonfinite, run.device, where=self._where, inquire=self._inquest, window=self._window
        )
        self._stepper = _stepper(self, self._workshop)
        self._updates = _updates(self, parts["strategy"], self._workshop)
        self._generators = Generators(run.device, generators_of(self._workshop.train_loader))
        self._epochs = Epochs(self._workshop.train_loader, self._generators)
        self._progress, self._last = Progress(context=self.context), LastStep(self.context)
        self._saver = _saver(self, parts, self._workshop)
        self.context.saver = self._request
        self._stops = Stops(self.context)
        self._trials = _trials(self, parts, self._workshop)
        self._ended = self._reopened = False
        self._resumed_at = -1
        """The step that a checkpoint found, of which something may be done already."""

    def __enter__(self) -> Session:
        run = self.context.run
        seed_everything(run.seed, run.rank)
        restored = self._saver.restore()
        self._reopened = self._progress.open
        if restored:
            self._resumed_at = self.state.global_step
        self._inquest.folder = run.dir / "nonfinite"
        with ExitStack() as on_failure:
            on_failure.enter_context(self._stops)
            # What listeners draw when they start, they have drawn in the run that is resumed.
            with self._generators.kept() if restored else nullcontext():
                self._open(restored)
            self._at_boundary()
            self._stops.at_boundary(regular=True)
            on_failure.pop_all()
        return self

    def _open(self, restored: Restored | None) -> None:
        """Open the loggers, and tell all listeners that the run begins or goes on."""
        context, run = self.context, self.context.run
        for logger in context.loggers.values() if run.is_main else ():
            if hasattr(logger, "open"):
                logger.open(run, self.state.global_step if restored else None)
            if hasattr(logger, "log_hparams") and not restored:
                logger.log_hparams(run.hparams)
        if restored:
            shop = self._workshop
            context.exactness = judged(context, restored, shop.train_loader, shop.train_metrics, shop.slots.values())
            if self.done:
                log.warning("%s is at step %d already: nothing left to train", restored.source, self.state.global_step)
            elif self._progress.finishing:
                self._progress.finishing = False
                context.exactness = context.exactness.lowered("order-only", "it was saved after a run that was shorter")
            self._saver.note_resume(context.exactness)
        self.hooks.fire("on_fit_start", context=context)
        if context.exactness is not None:
            if run.is_main:
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
                self._ended = True
                self._at_boundary()
                self.hooks.fire("on_fit_end", context=self.context)
        finally:
            self._stops.__exit__()
            for logger in self.context.loggers.values() if self.context.run.is_main else ():
                if hasattr(logger, "close"):
                    logger.close()

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
        batches = self._epochs.batches(state.epoch, start, again=self._reopened)
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
        self._progress.epoch_complete = last
        if self._reopened:
            self._reopened = False
            return True
        self._inquest.batch = batch
        logs = self._updates.train_on(batch, last)
        if logs is None:
            return False
        self._last.logs = logs
        self._progress.open = True
        return True

    def log_train(self) -> None:
        """Read what was logged since the last time from the device, and give it to the loggers."""
        if self._done_before_resume(self._progress.logged_at):
            return
        self._guard.read()
        rates = {f"lr/{name}": slot.optimizer.param_groups[0]["lr"] for name, slot in self._workshop.slots.items()}
        if len(rates) == 1:
            rates = {"lr": next(iter(rates.values()))}
        self.context.last_train_logs = {**self._window.read(), **rates}
        self.context.log(self.context.last_train_logs)
        self._progress.logged_at = self.state.global_step

    def end_step(self) -> None:
        """Tell the listeners that a step is complete: logged, validated, counted."""
        if self.interrupted:
            return
        if self.hooks.on_train_step_end is not None:
            self.hooks.on_train_step_end(context=self.context, logs=self._last.logs)
        self._progress.open = False
        if self._saver.requests:
            self._at_boundary()

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
        self._at_boundary()
        self._stops.at_boundary(regular=True)

    @property
    def validated(self) -> bool:
        """Whether validation has seen the weights of this step."""
        return self._progress.validated_at == self.state.global_step

    @property
    def evaluated(self) -> bool:
        """Whether evaluation has seen the weights of this step."""
        return self._progress.evaluated_at == self.state.global_step

    def _done_before_resume(self, step: int) -> bool:
        """Whether what was last done at `step` is not to be done again, since the run is still there."""
        return step == self.state.global_step == self._resumed_at

    def validate(self) -> dict[str, float]:
        """Return means over all validation samples; nothing where there is no validation, or it was interrupted."""
        if self.interrupted:
            return {}
        if self._done_before_resume(self._progress.validated_at):
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
        if self._done_before_resume(self._progress.evaluated_at):
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
        self._ended = True
        self._at_boundary()

    def result(self) -> RunResult:
        """Save the state if that is still to do, and return how the run ended."""
        context = self.context
        self._at_boundary()
        self._save_last()
        self._saver.wait()
        stages = {"train": context.last_train_logs, "val": context.last_val_logs, "eval": context.last_eval_results}
        metrics = {f"{stage}/{name}": value for stage, logs in stages.items() for name, value in logs.items()}
        reason = context.stop_reason or ""
        return RunResult(context.run.dir, self.state, metrics, "stopped" if self.interrupted else "finished", reason)

    def _request(self, name: str | None, asynchronous: bool) -> Path:
        folder = self._saver.request(name or name_of(self._updates.next_boundary), asynchronous)
        if self._ended:
            self._at_boundary()
        return folder

    def _at_boundary(self) -> None:
        """Save what was asked for: every listener has heard of all that the state holds."""
        if self._saver.requests:
            self._guard.read()  # what is saved is a state that no bad step lies before
            self._saver.carry_out(asynchronous=not self._ended)

    def _save_last(self) -> None:
        if self.context.run.checkpoints is not None and (self.context.save_at_end or self.interrupted):
            self._guard.read()
            self._saver.save_last()

    def _differentiate(self, batch: Any) -> Mapping[str, Any]:
        return self._updates.differentiate(batch)

    def _where(self, backward_passes: int) -> Place:
        state = self.state
        batches = min(backward_passes, self.settings.grad_accum_steps)
        return Place(state.global_step + 1, state.epoch, state.micro_step_in_epoch - 1, batches)


def _context(parts: Mapping[str, Any], state: TrainState) -> RunContext:
    context = RunContext(parts["run"], state, parts["collectives"], dict(parts["models"]))
    for name in ("algorithm", "datamodule", "io", "loss"):
        setattr(context, name, parts.get(name))
    for name in ("metrics", "loggers", "callbacks"):
        setattr(context, name, parts.get(name) or {})
    return context


def _stepper(session: Session, workshop: Workshop) -> Stepper:
    context = session.context
    return Stepper(
        workshop.slots,
        state=session.state,
        precision=session._precision,
        guard=session._guard,
        hooks=session.hooks,
        context=context,
        device=context.run.device,
        metrics=tuple(workshop.train_metrics.values()),
        trainable=sum(p.requires_grad for model in context.models.values() for p in model.parameters()),
        grad_clip_norm=session.settings.grad_clip_norm,
    )


def _trials(session: Session, parts: Mapping[str, Any], workshop: Workshop) -> Trials:
    return Trials(
        session.context,
        loader=workshop.val_loader,
        evaluations=parts.get("evaluations") or {},
        replicas=workshop.replicas.values(),
        strategy=parts["strategy"],
        precision=session._precision,
        generators=session._generators,
        stops=session._stops,
        hooks=session.hooks,
    )


def _saver(session: Session, parts: Mapping[str, Any], workshop: Workshop) -> Saver:
    context = session.context
    made = {"slots": workshop.slots, "precision": session._precision, "progress": session._progress}
    own = {
        "generators": session._generators,
        "epoch": session._epochs,
        "logs": session._window,
        "step": session._last,
        **{f"train_metrics.{name}": metric for name, metric in workshop.train_metrics.items() if is_stateful(metric)},
        **({"datamodule": context.datamodule} if is_stateful(context.datamodule) else {}),
    }
    shared = shared_parts(context, {**parts, **made})
    if not context.run.is_main and "algorithm" in shared:
        own["algorithm"] = context.algorithm  # a target network copies buffers, which are each process's own
    return Saver(context, shared=shared, own=own, progress=session._progress, hooks=session.hooks)


def _updates(session: Session, strategy: Any, workshop: Workshop) -> Updates:
    return Updates(
        session.context,
        settings=session.settings,
        hooks=session.hooks,
        stepper=session._stepper,
        precision=session._precision,
        strategy=strategy,
        replicas=workshop.replicas.values(),
        window=session._window,
    )
