"""What a video file holds, told by its packets alone: nothing is decoded to know it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.recording import Episode
from ot_builtins.data.storage.storage import reading
from ot_builtins.extras import import_extra

__all__ = ["Clip", "clip"]


@dataclass(frozen=True)
class Clip:
    """The video of one episode: its frames in the order in which they are shown, and which of them each row has."""

    path: Path
    height: int
    width: int
    pts: NDArray[np.int64]
    """`(P,)`: when each frame is shown, in units of `time_base`, increasing."""
    keys: NDArray[np.int64]
    """The frames at which decoding can begin, increasing; the first is frame 0."""
    time_base: float
    """Seconds of one unit."""
    frames: NDArray[np.int64]
    """`(length,)`: the frame of every row of the episode."""


def clip(path: Path, episode: Episode, timestamps: NDArray[np.float64], tolerance: NDArray[np.float64]) -> Clip:
    """Look at the video whose rows have these `timestamps` `(length,)` in seconds; a row's frame is the nearest.

    Raises `DataError` where the file cannot be read or is cut short, or where the nearest frame is further away than
    `tolerance` `(length,)`.
    """
    av = import_extra("av", "video", f"reading {path}")
    with reading(str(path)):
        _refuse_cut(path)
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DataError(f"{path} has no video stream")
            stream = container.streams.video[0]
            shown = sorted(
                (packet.pts, bool(packet.is_keyframe)) for packet in container.demux(stream) if _is_shown(packet)
            )
            height, width, time_base = stream.height, stream.width, float(stream.time_base)
    if len(shown) < episode.length or not shown[0][1]:
        raise DataError(
            f"{path} has {len(shown)} whole frames for the {episode.length} rows of episode {episode.number}: "
            "the video is incomplete"
        )
    pts = np.array([moment for moment, _ in shown], dtype=np.int64)
    moments: NDArray[np.float64] = pts.astype(np.float64) * time_base
    frames = _nearest(moments, timestamps)
    _refuse_distant(path, episode, moments[frames], timestamps, tolerance)
    keys = np.flatnonzero([key for _, key in shown])
    return Clip(path, height, width, pts, keys, time_base, frames)


def _is_shown(packet: Any) -> bool:
    return bool(packet.size and packet.pts is not None and not packet.is_corrupt and not packet.is_discard)


def _refuse_cut(path: Path) -> None:
    """Raise `DataError` where a box of an MP4 file reaches beyond its end: decoders would show what is there."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            if at == 0 and head[4:8] != b"ftyp":
                return
            length = int.from_bytes(head[8:], "big") if length == 1 else length or size - at
            if length < 8 or at + length > size:
                raise DataError(f"{path} is truncated: it ends {at + length - size} bytes too early")
            at += length


def _nearest(moments: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    after = np.clip(np.searchsorted(moments, wanted), 1, max(1, len(moments) - 1))
    if len(moments) == 1:
        return np.zeros(len(wanted), dtype=np.int64)
    return after - (wanted - moments[after - 1] <= moments[after] - wanted)


def _refuse_distant(
    path: Path,
    episode: Episode,
    found: NDArray[np.float64],
    wanted: NDArray[np.float64],
    tolerance: NDArray[np.float64],
) -> None:
    distant = np.flatnonzero(np.abs(found - wanted) > tolerance)
    if len(distant):
        row = int(distant[0])
        raise DataError(
            f"{path}: frame {row} of episode {episode.number} has the time stamp {wanted[row]:.6g} s, and the nearest "
            f"picture of the video is at {found[row]:.6g} s ({len(distant)} of {episode.length} frames are that far "
            "off); raise data.tolerance_s if this is meant"
        )
