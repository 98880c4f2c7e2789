"""Whether the process of a run still lives. Its lock is not tried: that could keep another from starting."""

from __future__ import annotations

import os
from datetime import datetime

from offline_trainer_core.record.status import RunStatus

__all__ = ["is_alive"]

_SLACK = 2.0
"""Seconds by which the clocks of the kernel and of a status may differ."""


def is_alive(status: RunStatus) -> bool:
    """Return whether process 0 of a run of this host lives. A process that has got its number since does not count."""
    if not status.pid:
        return False
    try:
        os.kill(status.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    born = _born(status.pid)
    return born is None or born <= datetime.fromisoformat(status.started).timestamp() + _SLACK


def _born(pid: int) -> float | None:
    """Return when a process began, in seconds since 1970; None where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime"))
    except (OSError, StopIteration, ValueError):
        return None
    return booted + ticks / os.sysconf("SC_CLK_TCK")
