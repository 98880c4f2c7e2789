"""Statistics that a recording brings along, put together over episodes, and compared with its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.recording import Episode, Recording, lines_of
from ot_builtins.data.storage.storage import reading

__all__ = ["RecordedStatistics"]

Numbers = Mapping[str, NDArray[np.float64]]
_NAMES = ("mean", "std", "min", "max")


class RecordedStatistics:
    """`meta/episodes_stats.jsonl`: mean, std, min, max and count of every feature in every episode.

    Raises `DataError` where the file cannot be read. Format v2.0 has none.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.file = recording.folder / "meta" / "episodes_stats.jsonl"
        self.present = self.file.is_file()
        with reading(str(self.file)):
            lines = lines_of(self.file) if self.present else ()
            self._episodes = {int(line["episode_index"]): line["stats"] for line in lines}

    def has(self, feature: str) -> bool:
        """Return whether every episode has statistics of `feature`."""
        return all(feature in self._episodes.get(episode.number, {}) for episode in self._recording.episodes)

    def over(self, feature: str, episodes: Sequence[Episode], shape: Sequence[int]) -> dict[str, Tensor]:
        """Return the statistics of all frames of `episodes` together, each `shape`: exact but for rounding.

        The variance of a whole is the mean of the variances of its parts and of the squared distances of their means
        from the mean, each part counted as often as it has frames.
        """
        parts = [self._of(feature, episode, shape) for episode in episodes]
        counts = np.array([part["count"] for part in parts])
        weights = (counts / counts.sum()).reshape(-1, *[1] * len(shape))
        means, deviations = (np.stack([part[name] for part in parts]) for name in ("mean", "std"))
        mean = (weights * means).sum(0)
        variance = (weights * (deviations**2 + (means - mean) ** 2)).sum(0)
        found = {
            "mean": mean,
            "std": np.sqrt(variance),
            "min": np.min([part["min"] for part in parts], axis=0),
            "max": np.max([part["max"] for part in parts], axis=0),
        }
        whole = {name: torch.from_numpy(np.asarray(values)).float() for name, values in found.items()}
        return {**whole, "count": torch.tensor(int(counts.sum()))}

    def of_camera(self, camera: str, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """Return the statistics per channel `(3,)` in the units of a batch, 0 to 255; the file has 0 to 1."""
        found = self.over(camera, episodes, (3,))
        return {name: values if name == "count" else values * 255 for name, values in found.items()}

    def disagreement(self, feature: str, values: Tensor) -> str | None:
        """Return the first number that the file has otherwise than `values` `(N, ...)` of all rows give, in words."""
        for episode in self._recording.episodes:
            rows = values[episode.first : episode.first + episode.length].double().numpy()
            said = self._of(feature, episode, rows.shape[1:])
            for name, place, recorded, computed in _differences(said, rows):
                where = f" (dimension {', '.join(map(str, place))})" if place else ""
                return (
                    f"{self.file}: episode {episode.number} says that the {name} of '{feature}'{where} is "
                    f"{recorded:.7g}; its frames in {self._recording.parquet(episode)} give {computed:.7g}"
                )
        return None

    def _of(self, feature: str, episode: Episode, shape: Sequence[int]) -> Numbers:
        stored: Any = self._episodes.get(episode.number, {}).get(feature)
        if stored is None:
            raise DataError(
                f"{self.file} has no statistics of '{feature}' for episode {episode.number}; set data.statistics: "
                "computed to take them from the numbers"
            )
        with reading(f"{self.file}: the statistics of '{feature}' for episode {episode.number}"):
            numbers = {name: np.asarray(stored[name], dtype=np.float64).reshape(tuple(shape)) for name in _NAMES}
            return {**numbers, "count": np.float64(np.asarray(stored["count"]).reshape(()))}  # type: ignore[dict-item]


def _differences(said: Numbers, rows: NDArray[np.float64]) -> Iterator[tuple[str, tuple[int, ...], float, float]]:
    """Yield (name, dimension, recorded, computed) of what differs by more than sums of float32 may."""
    if said["count"] != len(rows):
        yield "count", (), float(said["count"]), float(len(rows))
    allowed = np.finfo(np.float32).eps * max(len(rows), 16) * np.abs(rows).max(0)
    computed = {"mean": rows.mean(0), "std": rows.std(0), "min": rows.min(0), "max": rows.max(0)}
    for name, values in computed.items():
        # Written so that a NaN, on either side, is a difference.
        for place in np.argwhere(~(np.abs(said[name] - values) <= allowed)):
            index = tuple(place.tolist())
            yield name, index, float(said[name][index]), float(values[index])
