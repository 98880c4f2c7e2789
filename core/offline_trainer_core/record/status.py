"""How a run stands: `status.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from offline_trainer_core.record.atomic import replace_file

__all__ = ["RunStatus", "State", "read_status", "write_status"]

State = Literal["running", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class RunStatus:
    """What a run was doing at `time` (UTC), after how many optimizer steps, and why it ended."""

    status: State
    step: int
    reason: str = ""
    time: str = ""


def write_status(path: Path, status: State, step: int, reason: str = "") -> None:
    """Write the status at once: readers see the old one or the new one."""
    time = datetime.now(timezone.utc).isoformat(timespec="seconds")
    replace_file(path, json.dumps(asdict(RunStatus(status, step, reason, time)), indent=1).encode())


def read_status(path: Path) -> RunStatus | None:
    """Return the status at `path`, or None where there is none that can be read."""
    try:
        return RunStatus(**json.loads(path.read_bytes()))
    except (OSError, TypeError, ValueError):
        return None
