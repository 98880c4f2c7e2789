"""Which runs there are, and how each of them stands. Little is read of each, and nothing of it is believed blindly."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any, Literal

from offline_trainer_core.errors import UsageError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.alive import is_alive
from offline_trainer_core.record.status import RunStatus, read_status
from offline_trainer_core.record.tail import last_metrics

__all__ = ["RunSummary", "Standing", "list_runs", "summarize"]

Standing = Literal["running", "finished", "stopped", "failed", "killed", "unknown"]
_DEPTH = 4
"""Folders in a row, below those that are asked for, that are looked into."""
_STAGES = ("val", "eval", "train")
"""Where a metric without its stage is looked for."""


@dataclass(frozen=True)
class RunSummary:
    """How one run stands.

    `killed` is a run that says it is running while its process 0 is gone. Of a run of another host nobody can tell from
    here: it is `running` as long as it says so, and `updated` tells when it last did. `unknown` is one without a status
    that can be read.
    """

    dir: Path
    status: Standing
    step: int = 0
    total_steps: int | None = None
    metric: str = ""
    """`stage/name` of `value`: what the best checkpoint is chosen by, else the loss of validation."""
    value: float | None = None
    checkpoint: str | None = None
    """The newest one."""
    updated: float | None = None
    """When it last wrote what it was doing, in seconds since 1970."""
    seconds: float | None = None
    """How long it has run, over all its resumes."""
    host: str = ""
    reason: str = ""
    faults: tuple[str, ...] = ()
    """What of its record cannot be read."""

    @property
    def is_here(self) -> bool:
        """Whether it was this host that ran it, as far as is known."""
        return self.host in ("", platform.node())


def list_runs(*folders: str | os.PathLike[str], metric: str | None = None) -> list[RunSummary]:
    """Return the runs that are, or lie below, `folders` (by default `runs`), by their paths.

    `metric` is the one whose last value is told, as `val/loss` or, of any stage, `loss`. Loads no torch.
    Raises `UsageError` where there is no such folder.
    """
    places = [Path(folder) for folder in folders or ("runs",)]
    for place in places:
        if not place.is_dir():
            raise UsageError(f"there is no folder '{place}'; name the folders that hold your runs: ot runs DIR...")
    found = {run: None for place in places for run in sorted(_runs_in(place, _DEPTH))}
    return [summarize(run, metric) for run in found]


def summarize(folder: Path, metric: str | None = None) -> RunSummary:
    """Return how the run in `folder` stands. What cannot be read is among its `faults`."""
    status = read_status(folder / "status.json")
    faults = () if status is not None else ("status.json is missing or cannot be read",)
    summary = RunSummary(folder, "unknown", checkpoint=_newest_checkpoint(folder), faults=faults)
    if status is not None:
        summary = _with_status(summary, status)
    try:
        return _with_metrics(summary, metric)
    except OSError as error:
        return replace(summary, faults=(*faults, f"metrics.jsonl cannot be read: {error.strerror or error}"))


def _runs_in(folder: Path, depth: int) -> Iterator[Path]:
    if _is_run(folder):
        yield folder
        return
    try:
        with os.scandir(folder) as entries:
            below = [entry.name for entry in entries if _may_be_entered(entry)] if depth else []
    except OSError:
        return  # what may not be looked into holds no run of ours
    for name in below:
        yield from _runs_in(folder / name, depth - 1)


def _may_be_entered(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _is_run(folder: Path) -> bool:
    """Whether a run was begun in `folder`: other programs write a `config.yaml` too."""
    return os.path.isfile(folder / "config.yaml") and os.path.isfile(folder / "overrides.json")


def _newest_checkpoint(folder: Path) -> str | None:
    try:
        name = (folder / "checkpoints" / "last").read_text().partition("\n")[0]
    except (OSError, ValueError):
        return None
    return name if flaw_of_name(name) is None and (folder / "checkpoints" / name).is_dir() else None


def _with_status(summary: RunSummary, status: RunStatus) -> RunSummary:
    summary = replace(summary, status=status.status, host=status.host, reason=status.reason)
    seconds = status.seconds
    if status.status == "running" and summary.is_here:
        if is_alive(status):
            seconds += time() - (_time_of(status.time) or time())
        else:
            summary = replace(summary, status="killed")
    return replace(
        summary,
        step=status.step,
        total_steps=status.total_steps,
        metric=status.best_metric,
        value=status.best_value,
        updated=_time_of(status.time),
        seconds=seconds,
    )


def _with_metrics(summary: RunSummary, metric: str | None) -> RunSummary:
    path = summary.dir / "metrics.jsonl"
    last = next(last_metrics(path), None) if path.exists() else None
    if last is None:
        return replace(summary, metric=metric or summary.metric, value=None if metric else summary.value)
    logged = last.get("time")
    times = [time for time in (summary.updated, logged) if isinstance(time, (int, float))]
    summary = replace(summary, step=max(summary.step, last["step"]), updated=max(times, default=None))
    if metric is None and summary.value is not None:
        return summary
    return replace(summary, **_last_value(path, metric or "val/loss"))


def _last_value(path: Path, metric: str) -> dict[str, Any]:
    stage, _, name = metric.partition("/")
    stages, name = ((stage,), name) if stage in _STAGES and name else (_STAGES, metric)
    found: dict[str, Any] = {}
    for line in last_metrics(path, name):
        if name in line:
            found.setdefault(line["stage"], line[name])
        if stages[0] in found:
            break
    stage = next((stage for stage in stages if stage in found), "")
    return {"metric": f"{stage}/{name}" if stage else metric, "value": _number(found.get(stage))}


def _number(value: Any) -> float | None:
    """Return a number as a metrics file holds it, "inf" and "nan" included; None for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _time_of(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
