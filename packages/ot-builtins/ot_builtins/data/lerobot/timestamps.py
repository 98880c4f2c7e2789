"""Whether a recording's frames are as far apart as it says: windows count steps, and steps stand for time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.recording import Episode, Recording

__all__ = ["refuse_gaps", "tolerances"]


def tolerances(timestamps: NDArray[np.float64], tolerance_s: float) -> NDArray[np.float64]:
    """Return how far each time stamp `(n,)` may be off: recordings keep them as float32, coarser as time goes on."""
    rounding: NDArray[np.float64] = np.spacing(np.abs(timestamps).astype(np.float32)).astype(np.float64)
    return tolerance_s + rounding


def refuse_gaps(recording: Recording, timestamps: NDArray[np.float64], tolerance_s: float) -> None:
    """Raise `DataError` that names file, episode and frame where neighbours in `timestamps` `(N,)` are not 1/fps apart.

    Where most of an episode is not, it is the frequency that is wrong, and the message says which one it has.
    """
    for episode in recording.episodes:
        stamps = timestamps[episode.first : episode.first + episode.length]
        apart = np.diff(stamps)
        wrong = np.flatnonzero(~(np.abs(apart - 1 / recording.fps) <= tolerances(stamps[1:], tolerance_s)))
        if len(wrong) > episode.length / 2:
            raise DataError(
                f"{recording.parquet(episode)}: the frames of episode {episode.number} are {np.median(apart):.6g} s "
                f"apart, and meta/info.json says fps {recording.fps:g}, which is {1 / recording.fps:.6g} s; correct "
                "fps, or raise data.tolerance_s if this is meant"
            )
        if len(wrong):
            _refuse_gap(recording, episode, int(wrong[0]), apart, len(wrong))


def _refuse_gap(recording: Recording, episode: Episode, at: int, apart: NDArray[np.float64], count: int) -> None:
    raise DataError(
        f"{recording.parquet(episode)}: the time stamps of episode {episode.number} have a gap: frame {at + 1} comes "
        f"{apart[at]:.6g} s after frame {at}, at {recording.fps:g} fps it must be {1 / recording.fps:.6g} s "
        f"({count} such place{'s' if count > 1 else ''}); split the episode there, or raise data.tolerance_s if this "
        "is meant"
    )
