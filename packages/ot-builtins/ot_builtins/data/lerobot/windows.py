"""The windows of a recording: numbers, frames, and the task in words."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ot_builtins.data.storage.recording import Recording
from ot_builtins.data.windows import EpisodeWindows

__all__ = ["RecordedWindows"]


class RecordedWindows:
    """Windows whose `task` fields are texts: a batch has a list of `B` strings, the task at each window's moment."""

    def __init__(self, windows: EpisodeWindows, recording: Recording, texts: tuple[str, ...]) -> None:
        """`windows` have the number of the task, one step long, under the names in `texts`.

        Raises `DataError` where the recording does not say what its tasks are.
        """
        self.device, self.row_bytes = windows.device, windows.row_bytes
        self._windows, self._texts = windows, texts
        self._tasks = recording.tasks() if texts else {}
        self._files = [
            (episode.number, str(recording.parquet(episode).relative_to(recording.folder)))
            for episode in recording.episodes
        ]

    def __len__(self) -> int:
        return len(self._windows)

    def gather(self, rows: Tensor) -> dict[str, Any]:
        """Return the windows with these numbers `(B,)`."""
        batch: dict[str, Any] = self._windows.gather(rows)
        for name in self._texts:
            batch[name] = [self._tasks[number] for number in batch[name][:, 0].tolist()]
        return batch

    def relative_stats(self, field: str, reference: str, part: slice) -> dict[str, Tensor]:
        """Return the statistics of differences, as `EpisodeWindows` does."""
        return self._windows.relative_stats(field, reference, part)

    def name(self, rows: Tensor) -> list[dict[str, Any]]:
        """Return the episode, the frame of the moment, and the file of the windows with these numbers `(B,)`."""
        named = self._windows.name(rows)
        files = [self._files[sample["episode"]] for sample in named]
        return [
            {"window": sample["window"], "episode": episode, "frame": sample["step"], "file": file}
            for sample, (episode, file) in zip(named, files, strict=True)
        ]
