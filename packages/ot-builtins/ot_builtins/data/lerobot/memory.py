"""All frames of a camera in memory."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor

from offline_trainer_core.errors import DeviceError
from ot_builtins.data.lerobot.frames import Footage

__all__ = ["in_memory"]

_SHARED = Path("/dev/shm")
_MEMORY = Path("/proc/meminfo")


def in_memory(footage: Footage, camera: str, *, shared: bool) -> Tensor:
    """Return all frames as one uint8 tensor `(N, H, W, 3)`; `shared` lays it where workers read it without a copy.

    Raises `DeviceError` before anything is decoded where it does not fit.
    """
    _refuse_too_large(footage.shape.numel(), camera, shared=shared)
    frames = torch.empty(footage.shape, dtype=torch.uint8)
    if shared:
        frames.share_memory_()  # type: ignore[no-untyped-call]
    row = 0
    for block in footage.decode():
        frames[row : row + len(block)] = block
        row += len(block)
    return frames


def _refuse_too_large(needed: int, camera: str, *, shared: bool) -> None:
    what = f"data.cache: memory needs {needed / 1e6:,.0f} MB for the frames of '{camera}'"
    advice = "lower data.image_size, or set cache: disk or none"
    available = _available()
    if available is not None and needed > available:
        raise DeviceError(f"{what}, and {available / 1e6:,.0f} MB of memory are free: {advice}")
    if shared and _SHARED.is_dir() and needed > (room := shutil.disk_usage(_SHARED).free):
        raise DeviceError(
            f"{what} that workers share, and {room / 1e6:,.0f} MB of shared memory are free: {advice}, or num_workers: "
            "0; in a container, give more shared memory (docker run --shm-size=8g)"
        )


def _available() -> int | None:
    """Return the bytes that can be taken without swapping; None where the system does not say."""
    if not _MEMORY.is_file():
        return None
    sizes = dict(line.split(":", 1) for line in _MEMORY.read_text(encoding="ascii").splitlines())
    return int(sizes["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in sizes else None
