"""How a run stands: `status.json`."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, get_args

from offline_trainer_core.record.atomic import replace_file

__all__ = ["RunStatus", "State", "begun", "encoded", "read_status", "seconds_between", "write_status"]

State = Literal["running", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class RunStatus:
    """What a run was doing at `time` (UTC), after how many optimizer steps, and why it ended."""

    status: State
    step: int
    reason: str = ""
    time: str = ""
    total_steps: int | None = None
    """Optimizer steps of the whole run, where they are known."""
    best_metric: str = ""
    """What the best checkpoint is chosen by, as `stage/name`."""
    best_value: float | None = None
    started: str = ""
    """When the processes that train, or trained last, began (UTC)."""
    seconds_before: float = 0.0
    """How long the run had run before it was resumed."""
    host: str = ""
    pid: int = 0
    """Process 0 on `host`."""
    processes: int = 1

    @property
    def seconds(self) -> float:
        """How long the run has run, up to `time`."""
        return self.seconds_before + max(0.0, seconds_between(self.started, self.time))


def write_status(path: Path, status: RunStatus) -> None:
    """Write the status at once, with the time of now: readers see the old one or the new one."""
    replace_file(path, encoded(status))


def read_status(path: Path) -> RunStatus | None:
    """Return the status at `path`, or None where there is none that can be read."""
    try:
        content = json.loads(path.read_bytes())
        status = RunStatus(**{field.name: content[field.name] for field in fields(RunStatus) if field.name in content})
        return status if _is_sound(status) else None
    except (OSError, RecursionError, TypeError, ValueError):
        return None


def _is_sound(status: RunStatus) -> bool:
    """Whether every field is of its type: others may have written the file."""
    numbers = (status.step, status.pid, status.processes, status.seconds_before)
    optional = (status.total_steps, status.best_value)
    texts = (status.reason, status.time, status.best_metric, status.started, status.host)
    return (
        status.status in get_args(State)
        and all(isinstance(number, (int, float)) for number in numbers)
        and all(value is None or isinstance(value, (int, float)) for value in optional)
        and all(isinstance(text, str) for text in texts)
    )


def begun(before: RunStatus | None, processes: int) -> RunStatus:
    """Return the status of a run that begins, or goes on, in this process; `before` is how it stood."""
    beginning = RunStatus("running", 0) if before is None else replace(before, status="running", reason="")
    seconds = before.seconds if before is not None else 0.0
    own: dict[str, Any] = {"started": _now(), "host": platform.node(), "pid": os.getpid(), "processes": processes}
    return replace(beginning, seconds_before=seconds, **own)


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two times as a status writes them; 0 where one of them is none."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def encoded(status: RunStatus) -> bytes:
    """Return the file, with the time of now."""
    return json.dumps(asdict(replace(status, time=_now())), indent=1).encode()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
