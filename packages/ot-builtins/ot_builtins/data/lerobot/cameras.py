"""The frames of a recording's cameras: decoded when they are needed, or once for all."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline_trainer_core.errors import DataError
from ot_builtins.data.lerobot.decoding import choose_backend
from ot_builtins.data.lerobot.disk import on_disk
from ot_builtins.data.lerobot.frames import Footage, VideoFrames
from ot_builtins.data.lerobot.memory import in_memory
from ot_builtins.data.lerobot.timestamps import tolerances
from ot_builtins.data.lerobot.videos import Clip, clip
from ot_builtins.data.storage.recording import Recording
from ot_builtins.data.windows import Steps

__all__ = ["Cameras"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cameras:
    """How the frames of every camera are read. See `LeRobot` for what the values mean."""

    image_size: tuple[int, ...] | None
    backend: str
    cache: str
    cache_dir: Path | None
    shared: bool
    """Whether workers read them."""

    def __post_init__(self) -> None:
        if self.cache not in ("none", "memory", "disk"):
            raise DataError(f"data.lerobot: cache is none, memory or disk, not '{self.cache}'")
        if self.cache == "disk" and self.cache_dir is None:
            raise DataError("data.lerobot: cache: disk needs cache_dir, the folder in which decoded frames are kept")
        if self.image_size is not None and (len(self.image_size) != 2 or min(self.image_size) < 1):
            raise DataError(
                f"data.lerobot: image_size is {list(self.image_size)}; it must be two positive numbers, [height, width]"
            )

    def frames(self, camera: str, recording: Recording, stamps: NDArray[np.float64], tolerance_s: float) -> Steps:
        """Return all frames of a camera, `(N, H, W, 3)`; raises `DataError` where a video does not fit its rows."""
        backend = choose_backend(self.backend)
        clips = []
        for episode in recording.episodes:
            mine = stamps[episode.first : episode.first + episode.length]
            clips.append(clip(recording.video(camera, episode), episode, mine, tolerances(mine, tolerance_s)))
        self._refuse_unequal(clips)
        footage = Footage(clips, self.image_size, backend)
        log.info("%s: %s frames of %s, decoded by %s, cache: %s (%.0f MB decoded)",
                 camera, *_shape(footage), backend, self.cache, footage.shape.numel() / 1e6)  # fmt: skip
        if self.cache == "memory":
            return in_memory(footage, camera, shared=self.shared)
        if self.cache == "disk" and self.cache_dir is not None:
            return on_disk(footage, camera, self.cache_dir)
        return VideoFrames(footage)

    def _refuse_unequal(self, clips: list[Clip]) -> None:
        for other in clips:
            if self.image_size is None and (other.height, other.width) != (clips[0].height, clips[0].width):
                raise DataError(
                    f"{other.path} is {other.height} x {other.width}, and {clips[0].path} {clips[0].height} x "
                    f"{clips[0].width}; set data.image_size: [height, width] to bring all to one size"
                )


def _shape(footage: Footage) -> tuple[int, str]:
    count, height, width, _ = footage.shape
    return count, f"{height} x {width}"
