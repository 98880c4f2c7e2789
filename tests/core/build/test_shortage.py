"""What a run ran out of, and which settings of its own to lower."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_trainer_core.build.shortage import shortage
from offline_trainer_core.types import RunInfo

HPARAMS = {
    "data": {"_type_": "data.dataset", "batch_size": 256, "num_workers": 4},
    "trainer": {"_type_": "trainer.default", "grad_accum_steps": 2, "max_steps": 10},
}


@pytest.fixture
def explain(tmp_path: Path) -> Any:
    """Return a function from an exception to what is said of it, None for nothing."""

    def said(error: Exception, **changes: Any) -> str | None:
        run = RunInfo("small", tmp_path, device=torch.device("cpu"), hparams=HPARAMS, **changes)
        failure = shortage(error, run, "model.big")
        return None if failure is None else str(failure)

    return said


def worker(end: str) -> RuntimeError:
    error = RuntimeError("DataLoader worker (pid(s) 4242) exited unexpectedly")
    error.__cause__ = RuntimeError(f"DataLoader worker (pid 4242) {end}")
    return error


SMALLER = "lower data.batch_size (256), raise trainer.grad_accum_steps (2)"
LESS = "lower data.batch_size (256), lower data.num_workers (4), raise trainer.grad_accum_steps (2)"
FEWER = "lower data.num_workers (4), lower data.batch_size (256)"
SHORTAGES = {
    "memory of a GPU": (torch.OutOfMemoryError("CUDA out of memory."), ["out of memory on cpu", "model.big", SMALLER]),
    "memory": (MemoryError(), ["out of memory", "GiB left", LESS]),
    "memory of torch": (
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
        ["out of memory", LESS],
    ),
    "a worker that was killed": (worker("is killed by signal: Killed. "), ["(process 4242) was killed", FEWER]),
    "shared memory of a worker": (worker("is killed by signal: Bus error. It is"), ["no room in /dev/shm", FEWER]),
    "a worker that crashed": (worker("is killed by signal: Segmentation fault. "), ["a signal: Segmentation fault"]),
    "shared memory": (
        RuntimeError("unable to write to file </torch_1_2_3>: No space left on device (28)"),
        ["out of shared memory", "--shm-size", FEWER],
    ),
    "disk": (OSError(errno.ENOSPC, "No space left", "plot.png"), ["cannot write plot.png", "the disk is full"]),
    "size of a file": (OSError(errno.EFBIG, "File too large"), ["larger than this process may write"]),
}


@pytest.mark.parametrize(("error", "words"), SHORTAGES.values(), ids=SHORTAGES)
def test_a_shortage_says_what_to_lower(explain: Any, error: Exception, words: list[str]) -> None:
    said = explain(error)
    assert said is not None
    for word in words:
        assert word in said


def test_another_number_format_is_proposed_where_there_is_one(explain: Any) -> None:
    error = torch.OutOfMemoryError("CUDA out of memory.")
    assert "run.precision=bf16-mixed" in explain(error)
    assert "run.precision" not in explain(error, precision="bf16-mixed")


@pytest.mark.parametrize("error", [KeyError("shelf"), OSError(errno.ENOENT, "No such file"), RuntimeError("mat1 and")])
def test_other_errors_are_none(explain: Any, error: Exception) -> None:
    assert explain(error) is None
