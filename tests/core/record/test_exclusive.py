"""A run folder is for one process at a time, and a killed process leaves no trouble."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from offline_trainer_core.errors import UsageError
from offline_trainer_core.record.exclusive import LOCK, exclusive, refuse_running

pytest.importorskip("fcntl", reason="this system has no such locks")

HOLDER = """
import sys, time, os
from pathlib import Path
from offline_trainer_core.record.exclusive import exclusive
with exclusive(Path(sys.argv[1])):
    if sys.argv[2:] and not os.fork():
        os.close(1)  # a worker that outlives the run, as one of a loader may
        time.sleep(60)
    print(os.getpid(), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a process which holds the folder, in a group of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(tmp_path), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_second_process_is_refused_and_told_by_whom(hold, tmp_path) -> None:
    holder = hold()
    for enter in (exclusive(tmp_path).__enter__, lambda: refuse_running(tmp_path)):
        with pytest.raises(UsageError, match=rf"running already: process {holder.pid} on .*, since "):
            enter()


@pytest.mark.parametrize("worker", [[], ["with a worker"]])
def test_a_killed_process_leaves_no_trouble_even_where_its_worker_lives_on(hold, tmp_path, worker) -> None:
    holder = hold(*worker)
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).exists()
    refuse_running(tmp_path)
    with exclusive(tmp_path):
        pass


def test_the_folder_is_free_when_the_block_is_left(tmp_path) -> None:
    for _ in range(2):
        with exclusive(tmp_path):
            pass
    refuse_running(tmp_path)


def test_what_is_not_there_is_not_running(tmp_path) -> None:
    refuse_running(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_file_system_without_locks_goes_without(tmp_path, monkeypatch) -> None:
    import errno
    import fcntl

    def unavailable(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "lockf", unavailable)
    with exclusive(tmp_path):
        refuse_running(tmp_path)
