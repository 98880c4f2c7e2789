"""All frames of a camera in a file that is mapped into memory, made once and used by every run and process."""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from xxhash import xxh3_128

from offline_trainer_core.errors import DeviceError
from ot_builtins.data.lerobot.frames import Footage

__all__ = ["MappedFrames", "on_disk"]

log = logging.getLogger(__name__)

_FORMAT = 1
"""Raised when what a cache holds for the same videos changes."""
_READ_BYTES = 1 << 22


class MappedFrames:
    """Frames `(N, H, W, 3)` in an `.npy` file. Every process maps the file itself, and all share its pages."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._frames = self._map()
        self.shape = self._frames.shape

    def element_size(self) -> int:
        return 1

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return the rows with these numbers `(M,)`."""
        return self._frames.index_select(dim, index)

    def _map(self) -> Tensor:
        return torch.from_numpy(np.load(self._file, mmap_mode="c"))  # nothing writes; torch asks for what it could

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_frames"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._frames = self._map()


def on_disk(footage: Footage, camera: str, folder: Path) -> MappedFrames:
    """Return the frames from `folder`, decoded into it where they are not there or are damaged.

    They lie under a digest of what they were made from. A folder appears whole or not at all, so that several processes
    may make the same one at once: each has good frames, and one of them stays. Raises `DeviceError` where `folder`
    cannot be written or is full.
    """
    made_from = _made_from(footage)
    place = folder.expanduser() / xxh3_128(json.dumps(made_from).encode()).hexdigest()
    if not _is_whole(place):
        try:
            _make(footage, made_from, place)
        except OSError as error:
            raise DeviceError(
                f"data.cache_dir: the frames of '{camera}' ({footage.shape.numel() / 1e6:,.0f} MB) cannot be written "
                f"to {place}: {error.strerror or error}"
            ) from error
    return MappedFrames(place / "frames.npy")


def _made_from(footage: Footage) -> dict[str, Any]:
    videos = [
        {"video": _digest(clip.path), "frames": xxh3_128(clip.frames.tobytes()).hexdigest()} for clip in footage.clips
    ]
    return {"format": _FORMAT, "shape": list(footage.shape), "backend": footage.backend, "videos": videos}


def _is_whole(place: Path) -> bool:
    """Return whether the folder is there with the very bytes that were written; says it where they are others."""
    try:
        said = json.loads((place / "frames.json").read_text(encoding="utf-8"))["frames"]
        if said == _digest(place / "frames.npy"):
            return True
        log.warning("%s is damaged: its frames are decoded anew", place)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be read (%s): its frames are decoded anew", place, error)
    return False


def _make(footage: Footage, made_from: dict[str, Any], place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.parent / f".{place.name}.{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        _write(footage, draft / "frames.npy")
        said = {"frames": _digest(draft / "frames.npy"), "made_from": made_from}
        (draft / "frames.json").write_text(json.dumps(said), encoding="utf-8")
        _publish(draft, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(footage: Footage, file: Path) -> None:
    """Write the frames one after the other: a disk that is full says so to a write, and kills who fills a mapping."""
    with file.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": tuple(footage.shape)}
        np.lib.format.write_array_header_1_0(stream, header)
        for block in footage.decode():
            stream.write(block.contiguous().numpy().data)
        stream.flush()
        os.fsync(stream.fileno())


def _publish(draft: Path, place: Path) -> None:
    """Give `draft` its name. A folder that has it stays if it is whole: another process was faster."""
    try:
        draft.rename(place)
    except OSError:
        if _is_whole(place):
            return
        aside = draft.with_name(f"{draft.name}.old")
        with suppress(FileNotFoundError):  # another process has just put it aside
            place.rename(aside)
        with suppress(OSError):
            draft.rename(place)
        shutil.rmtree(aside, ignore_errors=True)


def _digest(file: Path) -> str:
    state = xxh3_128()
    with file.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            state.update(block)
    return state.hexdigest()
