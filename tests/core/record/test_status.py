"""The status of a run says how far it is while it trains, cheaply."""

import json
import os
import platform
from types import SimpleNamespace

import pytest

from offline_trainer_core.record import Heartbeat, RunFolder, RunStatus
from offline_trainer_core.record.status import begun, read_status


@pytest.fixture
def folder(tmp_path):
    run = RunFolder.create(tmp_path, "bc")
    run.begin(processes=2)
    return run


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    time = SimpleNamespace(now=100.0)
    monkeypatch.setattr("offline_trainer_core.record.heartbeat.monotonic", lambda: time.now)
    return time


def context_at(step, *, best=None, is_main=True):
    return SimpleNamespace(
        state=SimpleNamespace(global_step=step), max_steps=100, best=best, run=SimpleNamespace(is_main=is_main)
    )


def test_a_run_that_begins_says_in_which_process(folder):
    status = folder.status
    assert (status.status, status.step, status.processes) == ("running", 0, 2)
    assert (status.pid, status.host) == (os.getpid(), platform.node())
    assert status.started


def test_what_is_logged_moves_the_step(folder):
    heartbeat = Heartbeat(folder.dir / "status.json")
    heartbeat.on_log(context_at(7, best=("val/loss", 0.5)))
    status = folder.status
    assert (status.step, status.total_steps, status.best_metric, status.best_value) == (7, 100, "val/loss", 0.5)
    assert (status.pid, status.processes) == (os.getpid(), 2)


def test_it_is_written_once_a_second_and_at_each_checkpoint(folder, clock):
    heartbeat = Heartbeat(folder.dir / "status.json")
    for step in range(1, 10):
        heartbeat.on_log(context_at(step))
        clock.now += 0.2
    assert folder.status.step == 6
    heartbeat.on_checkpoint_saved(context_at(9))
    assert folder.status.step == 9


def test_the_disk_is_never_waited_for(folder, monkeypatch):
    waits = []
    monkeypatch.setattr(os, "fsync", waits.append)
    Heartbeat(folder.dir / "status.json").on_log(context_at(7))
    assert (folder.status.step, waits) == (7, [])
    folder.set_status("finished", 8)
    assert waits


def test_only_the_main_process_writes(folder):
    Heartbeat(folder.dir / "status.json").on_log(context_at(7, is_main=False))
    assert folder.status.step == 0


def test_a_disk_that_takes_nothing_does_not_end_the_run(folder):
    (folder.dir / ".status.json.saving").mkdir()
    Heartbeat(folder.dir / "status.json").on_log(context_at(7))
    assert folder.status.step == 0


def test_the_end_keeps_what_the_run_was(folder):
    Heartbeat(folder.dir / "status.json").on_log(context_at(7, best=("val/loss", 0.5)))
    folder.set_status("stopped", 8, "SIGTERM")
    status = folder.status
    assert (status.status, status.step, status.reason, status.best_value) == ("stopped", 8, "SIGTERM", 0.5)


def test_a_resumed_run_has_run_as_long_as_all_its_processes():
    started, ended = "2026-01-01T10:00:00+00:00", "2026-01-01T10:30:00+00:00"
    before = RunStatus("stopped", 40, "SIGTERM", ended, started=started, seconds_before=600)
    resumed = begun(before, 1)
    assert (resumed.status, resumed.step, resumed.reason) == ("running", 40, "")
    assert resumed.seconds_before == before.seconds == 2400


def test_a_status_of_a_newer_version_is_read_as_far_as_it_is_known(folder):
    path = folder.dir / "status.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "invented": 1}))
    assert read_status(path) == RunStatus(**content)


FOREIGN = [
    '{"status": 1, "step": 2}',
    '{"status": "running", "step": "2"}',
    '{"status": "done", "step": 2}',
    '{"status": "running", "step": 2, "pid": "7"}',
    '{"status": "running", "step": 2, "started": 7}',
    '{"status": "running", "step": 2, "best_value": "x"}',
    "[" * 100_000,
]


@pytest.mark.parametrize("content", FOREIGN)
def test_what_is_no_status_is_none(folder, content):
    (folder.dir / "status.json").write_text(content)
    assert folder.status is None
