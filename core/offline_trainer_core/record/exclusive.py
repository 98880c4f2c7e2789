"""One process at a time in a run folder: two that write the same files would spoil both runs."""

from __future__ import annotations

import errno
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from offline_trainer_core.errors import UsageError
from offline_trainer_core.record.atomic import told

__all__ = ["LOCK", "exclusive", "refuse_running"]

LOCK = "running.lock"


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep other processes out of `folder` until the block is left, or the process dies, however it does.

    The lock belongs to the process and not to the file: a loader's worker that outlives a killed run does not hold it,
    and a file that was left behind means nothing. File systems without locks go without. Raises `UsageError`,
    and `DeviceError` where the folder cannot be written.
    """
    with told(folder / LOCK):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor, folder)
        holder = {"pid": os.getpid(), "host": platform.node(), "since": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M}"}
        with told(folder / LOCK):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def refuse_running(folder: Path) -> None:
    """Raise `UsageError` where another process is at work in `folder`."""
    with told(folder / LOCK), suppress(FileNotFoundError, NotADirectoryError):
        descriptor = os.open(folder / LOCK, os.O_RDWR)
        try:
            _lock(descriptor, folder)
        finally:
            os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise UsageError(_busy(descriptor, folder)) from None


def _busy(descriptor: int, folder: Path) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        who = f"process {holder['pid']} on {holder['host']}, since {holder['since']} UTC"
    except (KeyError, OSError, TypeError, ValueError):
        who = "another process"
    return (
        f"the run in {folder} is running already: {who}. Wait until it ends, stop it (SIGTERM saves a checkpoint), or "
        "take another run.name"
    )
