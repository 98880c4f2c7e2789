"""Where processes come from, and what is made of how they end."""

from __future__ import annotations

import signal

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from offline_trainer_core import ConfigError
from offline_trainer_core.errors import DeviceError
from ot_builtins.launchers import Local, Torchrun, _exit_code


def failures(*codes):
    """Return processes that failed with `codes`, one after the other."""
    failed = {rank: ProcessFailure(rank, 100 + rank, code, "none") for rank, code in enumerate(codes)}
    for rank, failure in failed.items():
        failure.timestamp = 1000 + rank
    return failed


def test_the_exit_code_is_that_of_the_process_that_failed_first():
    assert _exit_code(failures(2, 3)) == 2
    assert _exit_code(failures(3, 2)) == 3


def test_a_process_that_lost_another_is_not_the_cause():
    assert _exit_code(failures(DeviceError.exit_code, ConfigError.exit_code)) == ConfigError.exit_code


@pytest.mark.parametrize(
    ("codes", "message"),
    [((-signal.SIGKILL,), "process 0 was killed by SIGKILL"), ((7, -signal.SIGSEGV), "process 1 was killed by SIGSEGV"),
     ((1,), "process 0 ended with exit code 1")],
)  # fmt: skip
def test_a_process_that_died_without_a_word_is_named(codes, message):
    with pytest.raises(DeviceError, match=f"{message}.*--resume"):
        _exit_code(failures(*codes))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [Local(), Torchrun(rdzv_endpoint="127.0.0.1:0")], ids=["local", "endpoint"])
@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["check", "no-such-file.yaml"], 2)])
def test_processes_run_ot_with_the_arguments_and_their_exit_code_is_returned(launcher, arguments, code):
    assert launcher.launch(arguments, 2) == code
