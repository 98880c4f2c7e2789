"""The device of a process, and what `deterministic` switches on."""

from __future__ import annotations

import os

import torch

from offline_trainer_core.errors import DeviceError

__all__ = ["choose_device", "make_deterministic"]


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """Return the device called `auto`, `cpu`, `cuda` or `cuda:N`; processes of one machine take one GPU each.

    Raises `DeviceError` where it does not exist.
    """
    count = torch.cuda.device_count()
    if name == "auto":
        name = "cuda" if count else "cpu"
    if name == "cuda":
        name = f"cuda:{local_rank}"
    device = torch.device(name)
    if device.type == "cuda":
        if (device.index or 0) >= count:
            found = f"{count} GPU{'s' if count != 1 else ''}" if count else "no GPU"
            raise DeviceError(f"run.device is '{name}', and torch sees {found}: set run.device=auto or run.device=cpu")
        torch.cuda.set_device(device)
    return device


def make_deterministic() -> None:
    """Let torch choose deterministic kernels, and raise where there is none."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
