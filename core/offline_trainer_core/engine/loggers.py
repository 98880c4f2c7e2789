"""The loggers of a run, opened and closed by its main process: the others have them, and leave them alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from offline_trainer_core.engine.context import RunContext

__all__ = ["close_loggers", "open_loggers"]


def open_loggers(context: RunContext) -> None:
    """Tell every logger whose run it is, how exactly it goes on if it is resumed, and its settings if it is new."""
    resumed = context.exactness is not None
    run = replace(context.run, exactness=context.exactness)
    for logger in _loggers(context):
        if hasattr(logger, "open"):
            logger.open(run, context.state.global_step if resumed else None)
        if hasattr(logger, "log_hparams") and not resumed:
            logger.log_hparams(run.hparams)


def close_loggers(context: RunContext) -> None:
    """Let every logger end its work."""
    for logger in _loggers(context):
        if hasattr(logger, "close"):
            logger.close()


def _loggers(context: RunContext) -> Iterable[Any]:
    return context.loggers.values() if context.run.is_main else ()
