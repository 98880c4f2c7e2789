"""Starts the processes of a run, and completes its record where they cannot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from offline_trainer_core.distributed import STARTED, listening
from offline_trainer_core.errors import DeviceError, RunStopped
from offline_trainer_core.record import RunFolder
from offline_trainer_core.run.checked import Source, checked
from offline_trainer_core.run.opening import folder_of

__all__ = ["launch"]


def launch(
    config: Source, overrides: Sequence[str], arguments: Sequence[str], processes: int, *, lock: Path | None = None
) -> int:
    """Start `ot <arguments>` on several processes through the configuration's launcher; return the exit code.

    The configuration is checked here first, so that one process reports what is wrong with it, or with its lock.
    """
    from offline_trainer_core.build import build_section

    resolved, registry, _ = checked(config, overrides, lock)
    launcher = build_section(resolved, registry, "run.launcher", default="launcher.local")
    folder = folder_of(resolved)
    with listening() as signals:
        os.environ.setdefault(STARTED, str(signals.began))
        try:
            code = _of_the_run(launcher.launch(list(arguments), processes), folder, signals.began)
        except DeviceError as error:
            _record_end(folder, signals.began, str(error))
            raise
        if code not in (0, RunStopped.exit_code):
            _record_end(folder, signals.began, f"exit code {code}; a process says why", unless_said=True)
    return code


def _of_the_run(code: int, folder: RunFolder, began: float) -> int:
    """Return the exit code of a run whose launcher left by a signal, when its processes had ended."""
    if code <= 128:
        return code
    if folder.status is None or not _is_ours(folder, began):
        return RunStopped.exit_code  # before anything began
    return {"stopped": RunStopped.exit_code, "finished": 0}.get(folder.status.status, 130)


def _record_end(folder: RunFolder, began: float, reason: str, *, unless_said: bool = False) -> None:
    """Write down how the run failed, where process 0 could not or knew less."""
    status = folder.status
    if status is not None and _is_ours(folder, began) and (status.status == "running" or not unless_said):
        folder.set_status("failed", status.step, reason)


def _is_ours(folder: RunFolder, began: float) -> bool:
    """Whether the status is of the processes that were started here, and not of an earlier run."""
    status = folder.status
    try:
        return status is not None and datetime.fromisoformat(status.started).timestamp() >= int(began)
    except ValueError:
        return False
