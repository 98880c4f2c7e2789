"""A run in progress: what a trainer's loop is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from offline_trainer_core.distributed import Agreement, StopSignals, listening
from offline_trainer_core.engine.batches import epoch_batches, mover
from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.guard import Guard, Place
from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.engine.inquest import Inquest
from offline_trainer_core.engine.logs import LogWindow
from offline_trainer_core.engine.precision import Precision
from offline_trainer_core.engine.prepare import LoopSettings, Workshop, furnish
from offline_trainer_core.engine.saving import Saver, stateful_parts
from offline_trainer_core.engine.seeding import seed_everything
from offline_trainer_core.engine.step import Stepper
from offline_trainer_core.engine.updates import Updates
from offline_trainer_core.engine.validation import compute_metrics, eval_mode, validation_means
from offline_trainer_core.errors import DataError
from offline_trainer_core.types import RunResult, TrainState

__all__ = ["Session"]


class Session:
    """Everything between `fit`'s parts and a result.

    Its parts are prepared when it is made, restored when it is entered, and closed when it is left; between the two a
    trainer's loop calls its methods.
    """

    def __init__(self, parts: Mapping[str, Any], settings: LoopSettings) -> None:
        run = parts["run"]
        self.settings = settings
        self.state = TrainState()
        self.context = _context(parts, self.state)
        self.hooks = Hooks({**self.context.callbacks, **(parts.get("plugins") or {})})
        self.context.on_log = self.hooks.on_log
        self._workshop = furnish(parts, self.context, settings)
        self._evaluations: Mapping[str, Any] = parts.get("evaluations") or {}
        self._precision = Precision(run.precision, run.device)
        self._window = LogWindow(parts["collectives"])
        self._move = mover(run.device, self._workshop.train_loader)
        self._inquest = Inquest(self.context, self._workshop.train_loader, self._move, self._differentiate)
        self._guard = Guard(
            settings.on_nonfinite, run.device, where=self._where, inquire=self._inquest, window=self._window
        )
        self._stepper = _stepper(self, self._workshop)
        self._updates = _updates(self, parts["strategy"], self._workshop)
        named = stateful_parts(self.context, self._workshop.slots, self._precision, self._window)
        self._saver = Saver(self.context, named, self.hooks)
        self.context.saver = self._save
        self._agreement = Agreement(parts["collectives"])
        self._listening = listening()
        self._signals: StopSignals
        self._stopping = False
        self.interrupted = False
        """Whether the run was asked to stop before its end; it can be resumed."""
        self.epoch_complete = False
        self._validated_at = self._evaluated_at = -1

    def __enter__(self) -> Session:
        run = self.context.run
        seed_everything(run.seed, run.rank)
        resumed = self._saver.restore()
        self._inquest.folder = run.dir / "nonfinite"
        self._signals = self._listening.__enter__()
        self._signals.patient = True
        for logger in self.context.loggers.values() if run.is_main else ():
            if hasattr(logger, "open"):
                logger.open(run, self.state.global_step if resumed else None)
            if hasattr(logger, "log_hparams") and not resumed:
                logger.log_hparams(run.hparams)
        self.hooks.fire("on_fit_start", context=self.context)
        return self

    def restore_policy(self) -> None:
        """Take back from the checkpoint that `run.resume_from` names what the policy needs, to evaluate it."""
        self._saver.restore_policy()

    def __exit__(self, kind: Any, exception: BaseException | None, traceback: Any) -> None:
        try:
            if exception is not None:
                self.hooks.fire("on_exception", context=self.context, exception=exception)
            else:
                self.hooks.fire("on_fit_end", context=self.context)
        finally:
            self._listening.__exit__(None, None, None)
            for logger in self.context.loggers.values() if self.context.run.is_main else ():
                if hasattr(logger, "close"):
                    logger.close()

    @property
    def done(self) -> bool:
        """Whether the run has reached its last epoch or step, or was asked to stop."""
        limits, state = self.settings, self.state
        return (
            self._stopping
            or (limits.max_epochs is not None and state.epoch >= limits.max_epochs)
            or (limits.max_steps is not None and state.global_step >= limits.max_steps)
        )

    def should_stop(self) -> bool:
        """Whether to leave the epoch at this step boundary; every process answers alike."""
        if self._agreement.due(self.state.global_step):
            self._agree()
        return self.done

    def _agree(self, *, regular: bool = False) -> None:
        """Let all processes know whether one of them was asked to stop."""
        context = self.context
        if self._signals.received is not None:
            context.stop(self._signals.received, resumable=True)
        self._stopping, self.interrupted, reason = self._agreement.reach(
            self.state.global_step, context.stop_reason, context.resumable, regular=regular
        )
        context.stop_reason = reason or context.stop_reason

    def batches(self) -> Iterator[tuple[Any, bool]]:
        """Begin or resume the epoch: yield its batches on the device, each with whether it is the last."""
        state = self.state
        self.epoch_complete = True
        self.hooks.fire("on_epoch_start", context=self.context, epoch=state.epoch)
        move, start = self._move, state.micro_step_in_epoch
        for batch, last in epoch_batches(self._workshop.train_loader, state.epoch, start):
            yield move(batch), last
        if state.micro_step_in_epoch == 0:
            raise DataError(f"epoch {state.epoch} has no batch: the training data is empty")

    def train_on(self, batch: Any, last: bool) -> bool:
        """Train on one batch; return whether it completed an optimizer step."""
        self._inquest.batch = batch
        logs = self._updates.train_on(batch, last)
        self._last_logs = logs
        self.epoch_complete = last
        return logs is not None

    def log_train(self) -> None:
        """Read what was logged since the last time from the device, and give it to the loggers."""
        self._guard.read()
        rates = {f"lr/{name}": slot.optimizer.param_groups[0]["lr"] for name, slot in self._workshop.slots.items()}
        if len(rates) == 1:
            rates = {"lr": next(iter(rates.values()))}
        self.context.last_train_logs = {**self._window.read(), **rates}
        self.context.log(self.context.last_train_logs)

    def end_step(self) -> None:
        """Tell the listeners that a step is complete: logged, validated, counted."""
        if self.hooks.on_train_step_end is not None:
            self.hooks.on_train_step_end(context=self.context, logs=self._last_logs)

    def end_epoch(self) -> None:
        """Count the epoch, and tell schedules and listeners."""
        epoch = self.state.epoch
        self.state.epoch, self.state.micro_step_in_epoch = epoch + 1, 0
        self._stepper.end_epoch(epoch + 1)
        metrics = compute_metrics(self._workshop.train_metrics, self.context.collectives)
        if metrics:
            self.context.log(metrics)
        self.hooks.fire("on_epoch_end", context=self.context, epoch=epoch)
        self._agree(regular=True)

    @property
    def validated(self) -> bool:
        """Whether validation has seen the weights of this step."""
        return self._validated_at == self.state.global_step

    @property
    def evaluated(self) -> bool:
        """Whether evaluation has seen the weights of this step."""
        return self._evaluated_at == self.state.global_step

    def validate(self) -> dict[str, float]:
        """Return means over all validation samples; nothing where there is no validation."""
        context, loader = self.context, self._workshop.val_loader
        self._validated_at = self.state.global_step
        if loader is None or not hasattr(context.algorithm, "validate"):
            return {}
        with eval_mode(context):
            self.hooks.fire("on_validation_start", context=context)
            context.last_val_logs = validation_means(context, loader, self._precision)
            context.log(context.last_val_logs, stage="val")
            self.hooks.fire("on_validation_end", context=context, logs=context.last_val_logs)
        self._stepper.report(context.last_val_logs)
        return context.last_val_logs

    def evaluate(self) -> dict[str, float]:
        """Return the scores of the policy in the run's evaluations; the main process does them."""
        context = self.context
        self._evaluated_at = self.state.global_step
        if not self._evaluations:
            return {}
        with eval_mode(context):
            self.hooks.fire("on_evaluation_start", context=context)
            scores = self._score() if context.run.is_main else {}
            context.last_eval_results = context.collectives.broadcast_object(scores)
            context.log(context.last_eval_results, stage="eval")
            self.hooks.fire("on_evaluation_end", context=context, results=context.last_eval_results)
        return context.last_eval_results

    def _score(self) -> dict[str, float]:
        step, several = self.state.global_step, len(self._evaluations) > 1
        scores: dict[str, float] = {}
        for name, evaluation in self._evaluations.items():
            results = evaluation.evaluate(self.context.policy(), run=self.context.run, step=step)
            scores.update({f"{name}/{key}" if several else key: value for key, value in results.items()})
        return scores

    def finish(self, validate: bool = True) -> None:
        """Log, validate (if asked to) and evaluate what the last step left open."""
        if not self._window.empty:
            self.log_train()
        if validate and not self.validated:
            self.validate()
        if not self.evaluated:
            self.evaluate()

    def result(self) -> RunResult:
        """Save the state if that is still to do, and return how the run ended."""
        context = self.context
        stages = {"train": context.last_train_logs, "val": context.last_val_logs, "eval": context.last_eval_results}
        metrics = {f"{stage}/{name}": value for stage, logs in stages.items() for name, value in logs.items()}
        wanted = context.run.checkpoints is not None and (context.save_at_end or self.interrupted)
        if wanted and self._saver.saved_at != self.state.global_step:
            context.save_checkpoint()
        self._saver.wait()
        reason = context.stop_reason or ""
        return RunResult(context.run.dir, self.state, metrics, "stopped" if self.interrupted else "finished", reason)

    def _save(self, name: str, asynchronous: bool = False) -> Path:
        self._guard.read()  # what is saved is a state that no bad step lies before
        return self._saver.save(name, asynchronous)

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
