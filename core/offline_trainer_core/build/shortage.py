"""What a run ran out of, memory or disk, with numbers, and which of its own settings to lower."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from offline_trainer_core.errors import DeviceError
from offline_trainer_core.types import RunInfo

__all__ = ["lost_worker", "shortage"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WORKER = re.compile(r"DataLoader worker \(pid\D*([\d, ]+)\) (?:is killed by signal: (\w[\w ]*)|exited unexpectedly)")
_NO_MEMORY = re.compile(r"DefaultCPUAllocator|not enough memory|std::bad_alloc|Cannot allocate memory")
_SHARED_MEMORY = re.compile(r"shared memory|unable to (?:write to file|open shared|mmap).*/?(?:torch_|shm)", re.DOTALL)
_ADVICE = {
    "batch_size": "lower {}",
    "num_workers": "lower {}",
    "prefetch_factor": "lower {}",
    "grad_accum_steps": "raise {}",
}


def shortage(error: Exception, info: RunInfo, component: str) -> DeviceError | None:
    """Return what a person should read of `error` where the run ran out of something, else None.

    `component` is the one that was at work.
    """
    text = "\n".join(str(one) for one in _chain(error))
    if isinstance(error, torch.OutOfMemoryError):
        return DeviceError(
            f"out of memory on {info.device}{_on_device(info.device)}, in {component}; " + _smaller(info)
        )
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" {error.filename}" if error.filename else ""
        return DeviceError(f"cannot write{where}, in {component}: {_no_space(error, info.dir)}")
    if (lost := lost_worker(error, info)) is not None:
        return lost
    if isinstance(error, RuntimeError) and _SHARED_MEMORY.search(text):
        return DeviceError(f"out of shared memory, in {component}; {_ROOM}{_fewer(info)}")
    if isinstance(error, MemoryError) or _NO_MEMORY.search(text) or getattr(error, "errno", 0) == errno.ENOMEM:
        return DeviceError(f"out of memory{_of_machine()}, in {component}; " + _smaller(info, gpu=False))
    return None


def lost_worker(error: BaseException, info: RunInfo) -> DeviceError | None:
    """Return what a person should read of `error` where a worker of the data loader is gone, else None.

    Torch raises that wherever the main thread is at that moment, so any other error may have come of it.
    """
    texts = [str(one) for one in _chain(error)]
    worker = next(filter(None, map(_WORKER.search, reversed(texts))), None)
    return None if worker is None else DeviceError(_worker_died(worker[1], worker[2] or "", info))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


_ROOM = "give /dev/shm more room (docker run --shm-size=8g), or "


def _worker_died(process: str, signal: str, info: RunInfo) -> str:
    if signal.startswith("Bus error"):
        return f"a worker of the data loader (process {process}) found no room in /dev/shm; {_ROOM}{_fewer(info)}"
    if signal.startswith("Killed"):
        return (
            f"a worker of the data loader (process {process}) was killed, as the system does when memory runs out"
            f"{_of_machine()}; {_fewer(info)}"
        )
    how = f"was ended by a signal: {signal.strip()}" if signal else "ended without a word"
    return (
        f"a worker of the data loader (process {process}) {how}; data.num_workers=0 reads samples in the process that "
        "trains, where --traceback shows more"
    )


def _no_space(error: OSError, folder: Path) -> str:
    if error.errno == errno.EFBIG:
        return "the file would be larger than this process may write (ulimit -f)"
    return f"the disk is full; make room on the file system of {folder} and go on with --resume"


def _smaller(info: RunInfo, gpu: bool = True) -> str:
    """Return how to need less memory for a step."""
    advice = _named(info.hparams, ("batch_size", "grad_accum_steps") if gpu else tuple(_ADVICE))
    if gpu and info.precision == "fp32":
        advice.append("set run.precision=bf16-mixed")
    return ", ".join(advice) or "lower the batch size"


def _fewer(info: RunInfo) -> str:
    """Return how to need less memory for reading ahead."""
    return ", ".join(_named(info.hparams, ("num_workers", "prefetch_factor", "batch_size"))) or "use fewer workers"


def _named(hparams: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Return advice on those of `keys` that the configuration has, with their paths and values."""
    found = {key: (path, value) for path, key, value in _settings(hparams) if key in keys}
    found.setdefault("grad_accum_steps", ("trainer.grad_accum_steps", 1))
    return [_ADVICE[key].format(f"{found[key][0]} ({found[key][1]})") for key in keys if key in found]


def _settings(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{prefix}{key}.")
        elif isinstance(value, int):
            yield f"{prefix}{key}", str(key), value


def _on_device(device: torch.device) -> str:
    try:
        free, total = torch.cuda.mem_get_info(device)
        mine = torch.cuda.memory_allocated(device)
    except (RuntimeError, AssertionError, ValueError):  # it may not answer any more
        return ""
    return f" ({_gib(mine)} of {_gib(total)} hold this process's tensors, {_gib(free)} are free)"


def _of_machine() -> str:
    """Return what this process uses and what the machine has left, where the system says so."""
    try:
        mine = re.search(r"VmRSS:\s*(\d+) kB", Path("/proc/self/status").read_text())
        left = re.search(r"MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return ""
    if mine is None or left is None:
        return ""
    return f" (this process uses {_gib(int(mine[1]) << 10)}, the machine has {_gib(int(left[1]) << 10)} left)"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
