"""Signals and deadlines are noted, and told apart from signals that must act at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from offline_trainer_core.distributed import STARTED, StoppedEarly, StopSignals, listening, stopping


@pytest.fixture
def patient():
    with listening() as signals:
        signals.patient = True
        yield signals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_is_noted(patient, name):
    assert patient.received is None
    os.kill(os.getpid(), signal.Signals[name])
    assert patient.received == name


def test_before_training_a_signal_leads_out_at_once():
    with listening() as signals, pytest.raises(StoppedEarly, match="SIGTERM"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signals.received == "SIGTERM"


class SignalledWhenFreed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)


def free_and_wait():
    SignalledWhenFreed()
    time.sleep(5)


def test_a_signal_that_comes_where_python_swallows_exceptions_leads_out_too(capfd):
    with listening(), pytest.raises(StoppedEarly, match="SIGTERM"):
        free_and_wait()
    assert capfd.readouterr().err == ""


def test_so_does_a_second_signal_there(patient, monkeypatch, capfd):
    monkeypatch.setattr(stopping, "ONE_SIGNAL", 0.0)
    os.kill(os.getpid(), signal.SIGUSR1)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        free_and_wait()
    assert capfd.readouterr().err == ""


class FailsWhenFreed:
    def __del__(self):
        raise ValueError("of its own")


def test_other_exceptions_there_are_reported_as_ever(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: reported.append(str(lost.exc_value)))
    with listening():
        FailsWhenFreed()
    assert reported == ["of its own"]


def test_a_second_signal_leads_out_at_once_unless_it_is_the_first_one_again(patient, monkeypatch):
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert patient.received == "SIGTERM"
    monkeypatch.setattr(stopping, "ONE_SIGNAL", 0.0)
    with pytest.raises(KeyboardInterrupt, match="SIGINT"):
        os.kill(os.getpid(), signal.SIGINT)


def test_signals_are_ignored_when_all_is_done(patient, monkeypatch):
    monkeypatch.setattr(stopping, "ONE_SIGNAL", 0.0)
    patient.ignore()
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
    assert patient.received is None


def test_who_listens_already_goes_on(patient):
    with listening() as inner:
        assert inner is patient
    os.kill(os.getpid(), signal.SIGUSR1)
    assert patient.received == "SIGUSR1"


def test_handlers_are_those_of_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with listening():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_time_counts_from_when_the_launcher_began(monkeypatch):
    monkeypatch.setenv(STARTED, str(time.time() - 100))
    signals = StopSignals()
    signals.limit(101, "1:41")
    assert signals.received is None
    signals.limit(99, "1:39")
    assert signals.received == "time limit of 1:39 reached"


def test_a_signal_after_the_deadline_is_the_first_one(patient):
    patient.limit(-1, "0:01")
    assert patient.received == "time limit of 0:01 reached"
    os.kill(os.getpid(), signal.SIGTERM)
    assert patient.received == "SIGTERM"


def test_forked_processes_end_as_others_do_and_not_by_what_is_meant_for_the_run(patient):
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(1)
    time.sleep(0.2)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGUSR1)
    time.sleep(0.2)
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
    assert patient.received is None


WORKER = """
import os, time
from offline_trainer_core.distributed import endure_signals
endure_signals()
print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_worker_outlives_the_signals_of_its_group_and_not_its_parents():
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE)
    pid = int(worker.stdout.readline())
    for name in ("INT", "USR1", "TERM"):
        subprocess.run(["bash", "-c", f"kill -{name} {pid}"], check=True)
    time.sleep(0.3)
    assert worker.poll() is None
    worker.terminate()
    assert worker.wait(10) == 0
    worker.stdout.close()


ORPHAN = """
import os, subprocess, sys, time
child = "from offline_trainer_core.distributed import end_with_parent; import time, sys; end_with_parent(); "
child += "print('ready', flush=True); time.sleep(60)"
process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_a_process_ends_with_what_started_it():
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
