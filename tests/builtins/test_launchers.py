"""Where processes come from, and what is made of how they end."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from offline_trainer_core.errors import ConfigError, DeviceError
from ot_builtins import local_processes
from ot_builtins.launchers import Local, Torchrun, exit_code
from ot_builtins.local_processes import run_processes


def test_the_exit_code_is_that_of_the_process_that_failed_first() -> None:
    assert exit_code([(0, 2), (1, 3)]) == 2
    assert exit_code([(1, 3), (0, 2)]) == 3
    assert exit_code([(0, 0), (1, 75)]) == 75
    assert exit_code([(0, 0), (1, 0)]) == 0


def test_a_process_that_lost_another_is_not_the_cause() -> None:
    assert exit_code([(0, DeviceError.exit_code), (1, ConfigError.exit_code)]) == ConfigError.exit_code


@pytest.mark.parametrize(
    ("endings", "message"),
    [
        ([(0, -signal.SIGKILL)], "process 0 was killed by SIGKILL"),
        ([(0, 7), (1, -signal.SIGSEGV)], "process 1 was killed by SIGSEGV"),
        ([(1, 9), (0, 7)], "process 1 ended with exit code 9"),
    ],
)
def test_a_process_that_died_without_a_word_is_named(endings: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(DeviceError, match=f"{message}.*--resume"):
        exit_code(endings)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Let the processes run a Python program of the test's instead of `ot`."""

    def write(text: str) -> list[str]:
        (tmp_path / "offline_trainer_core.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        return []

    return write


def test_processes_are_told_where_they_are_and_process_0_alone_listens(program, tmp_path) -> None:
    names = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OT_LISTENING"]
    arguments = program(
        "import json, os\n"
        f"told = {{name: os.environ.get(name) for name in {names}}}\n"
        "told['port'] = None\n"
        "if told['OT_LISTENING']:\n"
        "    import socket\n"
        "    told['port'] = str(socket.socket(fileno=int(told['OT_LISTENING'])).getsockname()[1])\n"
        "open(told['RANK'], 'w').write(json.dumps(told))\n"
    )
    assert sorted(run_processes(arguments, 2)) == [(0, 0), (1, 0)]
    first, second = (json.loads((tmp_path / rank).read_text()) for rank in "01")
    assert (first["RANK"], second["RANK"], first["WORLD_SIZE"]) == ("0", "1", "2")
    assert first["port"] == first["MASTER_PORT"] == second["MASTER_PORT"]
    assert second["OT_LISTENING"] is None


def test_a_process_that_hangs_when_another_failed_is_killed_and_not_blamed(program, monkeypatch) -> None:
    monkeypatch.setattr(local_processes, "SECONDS_TO_FOLLOW", 0.5)
    arguments = program("import os, sys, time\nif os.environ['RANK'] == '1': sys.exit(4)\ntime.sleep(600)")
    assert run_processes(arguments, 2) == [(1, 4)]


def test_a_signal_before_a_process_listens_waits_until_it_does(program) -> None:
    arguments = program(
        "import os, signal, time\n"
        "if os.environ['RANK'] == '0': os.kill(os.getppid(), signal.SIGUSR1)\n"
        "time.sleep(1)\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os._exit(75))\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})\n"
        "time.sleep(600)\n"
    )
    assert sorted(run_processes(arguments, 2)) == [(0, 75), (1, 75)]


def test_no_process_is_left_when_one_cannot_be_started(monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with pytest.raises(FileNotFoundError):
        run_processes([], 2)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [Local(), Torchrun(rdzv_endpoint="127.0.0.1:0")], ids=["local", "endpoint"])
@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["check", "no-such-file.yaml"], 2)])
def test_processes_run_ot_with_the_arguments_and_their_exit_code_is_returned(launcher, arguments, code) -> None:
    assert launcher.launch(arguments, 2) == code
