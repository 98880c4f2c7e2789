"""Ends a run at a step before its end: a hook plugin for who wants the state at that step."""

from __future__ import annotations

from typing import Any

from offline_trainer_core.hookspecs import hookimpl

__all__ = ["StopAfter"]


class StopAfter:
    """Saves the state after optimizer step `step`, and stops; the run can be resumed."""

    def __init__(self, step: int) -> None:
        self._step = step

    @hookimpl(trylast=True)
    def on_train_step_end(self, context: Any) -> None:
        if context.state.global_step == self._step and context.stop_reason is None:
            context.save_checkpoint()  # several processes may need a few steps to agree to stop
            context.stop(f"step {self._step}", resumable=True)
