"""Whether the run is to stop: what signals, deadlines and callbacks ask for, once all processes agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from offline_trainer_core.distributed import Agreement, StopSignals, listening
from offline_trainer_core.engine.batches import length_of
from offline_trainer_core.engine.context import RunContext

__all__ = ["GivenUp", "Stops"]


class GivenUp(BaseException):
    """Leads out of an evaluation from within the policy that it asks; no `except Exception` there stands in the way."""


class Stops:
    """Listens while it is entered, and says at every place where the run can be left whether to leave it."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._agreement = Agreement(context.collectives)
        self._listening = listening()
        self._signals = StopSignals()
        self._common: dict[int, float] = {}
        self.stopping = False
        """Whether all processes agreed to stop."""
        self.interrupted = False
        """Whether they did before the end of the run."""

    def __enter__(self) -> Stops:
        self._signals = self._listening.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listening.__exit__(None, None, None)

    def begin(self) -> None:
        """Let signals wait for the next boundary; before, there was nothing to save, and one ended the run at once."""
        self._signals.patient = True

    def at_boundary(self, *, regular: bool = False) -> None:
        """Agree where it is time to: after some steps, and at `regular` points such as the end of an epoch."""
        context, step = self._context, self._context.state.global_step
        if self.stopping or not (regular or self._agreement.due(step)):
            return
        self._hear()
        self.stopping, self.interrupted, reason = self._agreement.reach(
            step, context.stop_reason, context.resumable, regular=regular
        )
        context.stop_reason = reason or context.stop_reason

    def in_validation(self, loader: Any) -> Callable[[int], bool]:
        """Return what says before every batch of a validation whether to give it up; every process answers alike."""
        context, agreement = self._context, Agreement(self._context.collectives)
        common = self._batches_of_all(loader)

        def interrupted(batch: int) -> bool:
            if batch >= common or not agreement.due(batch):
                return False
            self._hear()
            decision = agreement.reach(batch, context.stop_reason if context.resumable else None, context.resumable)
            if decision.stop:
                self.interrupt(decision.reason)
            return decision.stop

        return interrupted

    def in_evaluation(self) -> None:
        """Raise `GivenUp` where this process was asked to stop."""
        self._hear()
        if self._context.resumable:
            raise GivenUp

    def interrupt(self, reason: str | None) -> None:
        """Stop before the end, for a reason on which all agree."""
        self.stopping = self.interrupted = True
        self._context.stop_reason = reason

    def _hear(self) -> None:
        if self._signals.received is not None:
            self._context.stop(self._signals.received, resumable=True)

    def _batches_of_all(self, loader: Any) -> float:
        """Return how many batches of `loader` every process has for sure: only there can they talk to each other."""
        if id(loader) not in self._common:
            lengths = self._context.collectives.gather_object(length_of(loader)) or [0]
            least = math.inf if lengths == [None] else min(length or 0 for length in lengths)
            self._common[id(loader)] = self._context.collectives.broadcast_object(least)
        return self._common[id(loader)]
