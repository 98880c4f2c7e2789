"""What a person sees when a command fails: one message for a known error, the component's traceback for any other."""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from time import monotonic, sleep
from types import TracebackType

import click

from offline_trainer_core.cli.screen import print_problems
from offline_trainer_core.distributed import STARTED, listening
from offline_trainer_core.errors import ConfigError, OfflineTrainerError, RunStopped, format_error_with_context

__all__ = ["report"]

SECONDS_TO_SPEAK = 10.0
"""How long the process of a run that says what is wrong may take to do so, after another one has found it."""


def report(error: Exception, *, show_traceback: bool) -> int:
    """Print `error` to standard error and return the exit code of the process."""
    if not isinstance(error, OfflineTrainerError):
        _report_unexpected(error, show_traceback)
        return 1
    if error.reported or (isinstance(error, ConfigError) and os.environ.get("LOCAL_RANK", "0") != "0"):
        _leave_the_word_to_another_process()
        return error.exit_code
    if show_traceback:
        click.echo("".join(traceback.format_exception(error)), err=True)
    elif isinstance(error, ConfigError):
        print_problems(error.problems, err=True)
    elif isinstance(error, RunStopped):
        click.secho(f"stopped: {error}", fg="yellow", err=True)
    else:
        title, _, rest = format_error_with_context(error).partition(":")
        click.echo(f"{click.style(title, fg='red', bold=True)}:{rest}", err=True)
    return error.exit_code


def _leave_the_word_to_another_process() -> None:
    """Wait until the launcher asks this process to end: others than ours end them all as soon as one has failed, so
    that the one which says why must be the first to end.
    """
    if STARTED in os.environ or "RANK" not in os.environ:
        return
    end = monotonic() + SECONDS_TO_SPEAK
    with suppress(KeyboardInterrupt), listening() as signals:
        while signals.received is None and monotonic() < end:
            sleep(0.05)


def _report_unexpected(error: Exception, whole: bool) -> None:
    outside = None if whole else _first_frame_outside_the_core(error.__traceback__)
    shown = error.__traceback__ if outside is None else outside
    click.echo("".join(traceback.format_exception(type(error), error, shown)), err=True)
    click.echo(f"{click.style('error', fg='red', bold=True)}: {_blame(outside)}", err=True)
    if not whole:
        click.echo("  --traceback shows how it was called", err=True)


def _blame(outside: TracebackType | None) -> str:
    if outside is None:
        return "this is a bug in offline-trainer-core; please report it with the traceback above"
    package = str(outside.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    return f"'{package}' failed, in a way that it does not announce: a bug, or an argument that it does not check"


def _first_frame_outside_the_core(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None:
        name = str(frames.tb_frame.f_globals.get("__name__", ""))
        if not name.startswith(("offline_trainer_core", "click", "pluggy", "importlib", "runpy")):
            return frames
        frames = frames.tb_next
    return None
