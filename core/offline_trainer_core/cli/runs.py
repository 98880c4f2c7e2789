"""`ot runs`: how the runs below some folders stand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from time import time
from typing import Any, get_args

import click

from offline_trainer_core.cli.options import traceback_option
from offline_trainer_core.cli.screen import print_table
from offline_trainer_core.record import RunSummary, list_runs
from offline_trainer_core.record.listing import Standing

__all__ = ["command"]

_COLOURS = {
    "running": "cyan",
    "finished": "green",
    "stopped": "yellow",
    "failed": "red",
    "killed": "red",
    "unknown": "magenta",
}
_HEADERS = ("run", "status", "steps", "metric", "", "newest checkpoint", "age", "duration")
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))

_ORDERS: dict[str, Callable[[RunSummary], Any]] = {
    "age": lambda run: -(run.updated or 0),
    "duration": lambda run: -(run.seconds or 0),
    "metric": lambda run: math.inf if run.value is None or math.isnan(run.value) else run.value,
    "name": lambda run: str(run.dir),
    "status": lambda run: list(_COLOURS).index(run.status),
    "steps": lambda run: -run.step,
}


@click.command("runs")
@click.argument("folders", nargs=-1, metavar="[DIR]...")
@click.option("--status", type=click.Choice(get_args(Standing)), multiple=True, help="Only these; may be repeated.")
@click.option("--metric", metavar="NAME", help="Show the last value of this one: val/loss, eval/success_rate.")
@click.option("--sort", type=click.Choice(list(_ORDERS)), default="age", show_default=True)
@click.option("--reverse", is_flag=True, help="Turn the order round.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Show the first N.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@traceback_option
def command(
    folders: tuple[str, ...],
    status: tuple[str, ...],
    metric: str | None,
    sort: str,
    reverse: bool,
    limit: int | None,
    style: str,
) -> None:
    """List runs: how each stands, how far it is, and how good.

    Looks for run folders in and below every DIR, by default `runs`. The metric is the one that the best checkpoint is
    chosen by, with its best value; without one the last loss of validation. The age is the time since a run last said
    what it does.

    A run is `killed` when it says that it runs, and its process is gone. Of a run of another host nobody can tell from
    here: `running (<host>)` says where to ask.
    """
    runs = list_runs(*folders, metric=metric)
    chosen = sorted((run for run in runs if not status or run.status in status), key=_ORDERS[sort], reverse=reverse)
    shown = chosen[:limit]
    if style == "json":
        click.echo(json.dumps([_as_json(run) for run in shown], indent=2))
    else:
        _print(shown, folders or ("runs",))


def _print(runs: Sequence[RunSummary], folders: Sequence[str]) -> None:
    if not runs:
        click.echo(f"no such run in {', '.join(folders)}", err=True)
        return
    print_table(_HEADERS, map(_row, runs), fold=0, colours=_COLOURS)
    for run in runs:
        for fault in run.faults:
            click.echo(f"{click.style('warning', fg='yellow')}: {run.dir}: {fault}", err=True)


def _row(run: RunSummary) -> tuple[str, ...]:
    age = None if run.updated is None else max(0.0, time() - run.updated)
    return (
        str(run.dir),
        run.status if run.status != "running" or run.is_here else f"running ({run.host})",
        f"{run.step:,}" if run.total_steps is None else f"{run.step:,}/{run.total_steps:,}",
        run.metric if run.value is not None else "",
        "" if run.value is None else f"{run.value:.4g}",
        run.checkpoint or "",
        _in_words(age),
        _in_words(run.seconds),
    )


def _in_words(seconds: float | None) -> str:
    """Return a time in its largest unit, as people say it: `3 min`, `2 h`, `5 d`."""
    if seconds is None:
        return ""
    name, size = next((unit for unit in _UNITS if seconds >= unit[1]), _UNITS[-1])
    return f"{seconds / size:.0f} {name}"


def _as_json(run: RunSummary) -> dict[str, Any]:
    value = run.value if run.value is None or math.isfinite(run.value) else str(run.value)  # as metrics.jsonl has it
    return {**asdict(run), "dir": str(run.dir), "value": value}
