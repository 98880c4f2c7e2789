"""The sign of life of a run that trains."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from offline_trainer_core.hookspecs import hookimpl
from offline_trainer_core.record.atomic import temporary_name
from offline_trainer_core.record.status import encoded, read_status

__all__ = ["Heartbeat"]

_SECONDS_BETWEEN_BEATS = 1.0


class Heartbeat:
    """Keeps the status of a run that trains alive, so that others see how far it is: a hook plugin of every run.

    It writes at most once a second, and never waits for the disk: after a power cut the metrics and checkpoints tell
    more. A status that cannot be written is no reason to end a run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = 0.0

    @hookimpl(trylast=True)
    def on_fit_start(self, context: Any) -> None:
        self._beat(context)

    def on_log(self, context: Any) -> None:
        if monotonic() >= self._next:
            self._beat(context)
            self._next = monotonic() + _SECONDS_BETWEEN_BEATS

    @hookimpl(trylast=True)
    def on_checkpoint_saved(self, context: Any) -> None:
        self._beat(context)

    def on_exception(self, context: Any) -> None:
        self._beat(context)

    @hookimpl(trylast=True)
    def on_fit_end(self, context: Any) -> None:
        self._beat(context)

    def _beat(self, context: Any) -> None:
        before = read_status(self._path) if context.run.is_main else None
        if before is None:
            return
        metric, value = context.best or (before.best_metric, before.best_value)
        step, total = context.state.global_step, context.max_steps
        status = replace(before, step=step, total_steps=total, best_metric=metric, best_value=value)
        temporary = temporary_name(self._path)
        with suppress(OSError):
            temporary.write_bytes(encoded(status))
            temporary.replace(self._path)
