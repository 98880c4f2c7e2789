"""Whether the process of a run still lives. Its lock is not tried: that could keep another from starting."""

from __future__ import annotations

import os
from datetime import datetime

from offline_trainer_core.record.status import RunStatus

__all__ = ["is_alive"]

_ENDED = ("Z", "X")
"""States of a process that is dead, and whose parent has not asked how it ended."""
_SLACK = 2.0
"""Seconds by which the clocks of the kernel and of a status may differ."""


def is_alive(status: RunStatus) -> bool:
    """Return whether process 0 of a run of this host lives. A process that has got its number since does not count."""
    if not status.pid:
        return False
    try:
        os.kill(status.pid, 0)
    except (OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        return True  # somebody else's
    state, born = _state_and_birth(status.pid)
    if state in _ENDED:
        return False
    try:
        return born is None or born <= datetime.fromisoformat(status.started).timestamp() + _SLACK
    except ValueError:
        return False


def _state_and_birth(pid: int) -> tuple[str, float | None]:
    """Return the state of a process, and when it began, in seconds since 1970, if the system tells."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime"))
        return fields[0].decode(), booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (IndexError, OSError, StopIteration, ValueError):
        return "", None
