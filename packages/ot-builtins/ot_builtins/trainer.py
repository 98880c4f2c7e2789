"""The default trainer: epochs of batches, with logging, validation, evaluation and saving when they are due."""

from __future__ import annotations

from typing import Any, Literal

from offline_trainer_core import RunResult
from offline_trainer_core.engine import LoopSettings, Session
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import PositiveFloat, PositiveInt

__all__ = ["DefaultTrainer"]


class DefaultTrainer:
    """Trains until `max_epochs` or `max_steps`, whichever comes first.

    Everything is counted in optimizer steps: logging, validation, callbacks and checkpoints. What is left over at the
    end of an epoch, when its batches are no multiple of `grad_accum_steps`, still steps, scaled to its true size.

    Args:
        max_epochs: Passes over the training data.
        max_steps: Optimizer steps.
        grad_accum_steps: Batches whose gradients are averaged into one step.
        grad_clip_norm: Largest norm of the gradient of one optimizer (Pascanu et al. 2013).
        log_every_n_steps: How often the mean of what was logged since the last time is read from the device.
        val_every_n_epochs: How often to validate, in epochs; null for never.
        val_every_n_steps: How often to validate, in optimizer steps.
        eval_every_n_epochs: How often to run the `eval` section, in epochs; it runs at the end in any case.
        optim_steps_per_batch: Updates made on every batch.
        on_nonfinite: What to do when the loss or a gradient is infinite or NaN: `raise` ends the run before the
            optimizer steps on it and says which samples it comes from, `skip` leaves that step out (`skipped` in the
            logs is the share of such steps; 100 in a row end the run), `ignore` does not look.

    Raises:
        ComponentError: Neither `max_epochs` nor `max_steps` is given, or a count is not positive.
    """

    harmless = (
        "max_epochs",
        "max_steps",
        "log_every_n_steps",
        "val_every_n_epochs",
        "val_every_n_steps",
        "eval_every_n_epochs",
    )

    def __init__(
        self,
        max_epochs: PositiveInt | None = None,
        max_steps: PositiveInt | None = None,
        grad_accum_steps: PositiveInt = 1,
        grad_clip_norm: PositiveFloat | None = None,
        log_every_n_steps: PositiveInt = 50,
        val_every_n_epochs: PositiveInt | None = 1,
        val_every_n_steps: PositiveInt | None = None,
        eval_every_n_epochs: PositiveInt | None = None,
        optim_steps_per_batch: PositiveInt = 1,
        on_nonfinite: Literal["raise", "skip", "ignore"] = "raise",
    ) -> None:
        _refuse_impossible(locals())
        self.settings = LoopSettings(
            max_epochs, max_steps, grad_accum_steps, grad_clip_norm, optim_steps_per_batch, on_nonfinite
        )
        self.log_every_n_steps = log_every_n_steps
        self.val_every_n_epochs = val_every_n_epochs
        self.val_every_n_steps = val_every_n_steps
        self.eval_every_n_epochs = eval_every_n_epochs

    def fit(self, **parts: Any) -> RunResult:
        """Train to the end, or until a signal or a callback asks to stop."""
        with Session(parts, self.settings) as session:
            while not session.done:
                self._epoch(session)
            session.finish(validate=bool(self.val_every_n_epochs or self.val_every_n_steps))
            return session.result()

    def _epoch(self, session: Session) -> None:
        due = session.context.due
        for batch, last in session.batches():
            if not session.train_on(batch, last):
                continue
            if due(self.log_every_n_steps):
                session.log_train()
            if due(self.val_every_n_steps):
                session.validate()
            session.end_step()
            if session.should_stop():
                break
        if session.epoch_complete:
            self._end_epoch(session)

    def _end_epoch(self, session: Session) -> None:
        epochs = session.state.epoch + 1
        if self.val_every_n_epochs and epochs % self.val_every_n_epochs == 0 and not session.validated:
            session.validate()
        if self.eval_every_n_epochs and epochs % self.eval_every_n_epochs == 0:
            session.evaluate()
        session.end_epoch()


def _refuse_impossible(given: dict[str, Any]) -> None:
    if given["max_epochs"] is None and given["max_steps"] is None:
        raise ComponentError("trainer.default needs max_epochs or max_steps: how long is it to train?")
    for name, value in given.items():
        if isinstance(value, (int, float)) and value <= 0:
            raise ComponentError(f"trainer.default: {name} must be positive, and is {value}")
    if given["grad_accum_steps"] > 1 and given["optim_steps_per_batch"] > 1:
        raise ComponentError("trainer.default: grad_accum_steps and optim_steps_per_batch cannot both be over 1")
    if given["on_nonfinite"] not in ("raise", "skip", "ignore"):
        raise ComponentError(f"trainer.default: on_nonfinite is raise, skip or ignore, not {given['on_nonfinite']!r}")
