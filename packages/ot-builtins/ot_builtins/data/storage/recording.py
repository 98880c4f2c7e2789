"""What a LeRobot 2.x folder says about itself: its features, episodes, tasks, and the files they lie in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.storage import reading
from ot_builtins.data.storage.templates import PathTemplate

__all__ = ["Episode", "Recording", "lines_of"]

_VERSIONS = ("v2.0", "v2.1")


class Episode(NamedTuple):
    """One episode: its number in the file, its number of frames, and the row of the first in all episodes together."""

    number: int
    length: int
    first: int


class Recording:
    """A folder with `meta/info.json`, one Parquet file per episode, and one video per episode and camera.

    Raises `DataError` for another version of the format, for metadata that do not hold together, and for paths that
    lead out of the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.where = folder, str(folder)
        with reading(str(folder / "meta" / "info.json")):
            info = json.loads((folder / "meta" / "info.json").read_text(encoding="utf-8"))
            _refuse_version(folder, str(info.get("codebase_version", "unknown")))
            self.features: Mapping[str, Any] = {str(name): dict(feature) for name, feature in info["features"].items()}
            self._fps, self._chunk = info.get("fps"), int(info.get("chunks_size", 1000))
            if self._chunk < 1:
                raise DataError(f"{folder / 'meta' / 'info.json'}: chunks_size is {self._chunk}; it must be positive")
        self._data = PathTemplate(folder, "data_path", info.get("data_path"), ("episode_chunk", "episode_index"))
        self._video = info.get("video_path")
        self.episodes = _episodes(folder, info)
        self.ends: NDArray[np.int64] = np.array([e.first + e.length for e in self.episodes], dtype=np.int64)

    @property
    def fps(self) -> float:
        """Frames per second."""
        if isinstance(self._fps, bool) or not isinstance(self._fps, (int, float)) or not 0 < self._fps < float("inf"):
            raise DataError(f"{self.where}/meta/info.json: fps is {self._fps!r}; it must be a positive number")
        return float(self._fps)

    @property
    def cameras(self) -> list[str]:
        """The features that are videos."""
        return [name for name, feature in self.features.items() if feature.get("dtype") == "video"]

    @property
    def numbers(self) -> list[str]:
        """The features that lie in the Parquet files as numbers."""
        apart = ("video", "image", "string")
        return [name for name, feature in self.features.items() if feature.get("dtype") not in apart]

    def parquet(self, episode: Episode) -> Path:
        """Return the file of an episode's numbers."""
        file = self._data.path(episode_chunk=episode.number // self._chunk, episode_index=episode.number)
        return self._existing(file, episode)

    def video(self, camera: str, episode: Episode) -> Path:
        """Return the file of an episode's video."""
        names = ("episode_chunk", "video_key", "episode_index")
        template = PathTemplate(self.folder, "video_path", self._video, names)
        chunk = episode.number // self._chunk
        file = template.path(episode_chunk=chunk, video_key=camera, episode_index=episode.number)
        return self._existing(file, episode)

    def tasks(self) -> dict[int, str]:
        """Return the text of every task by its number."""
        path = self.folder / "meta" / "tasks.jsonl"
        with reading(str(path)):
            return {int(line["task_index"]): str(line["task"]) for line in lines_of(path)}

    def refuse_unnamed(self, tasks: Iterable[int]) -> None:
        """Raise `DataError` for a task, by its number, whose text is not known."""
        for task in sorted(set(tasks) - self.tasks().keys()):
            raise DataError(f"{self.where}/meta/tasks.jsonl has no task {task}, which frames have as their task_index")

    def _existing(self, file: Path, episode: Episode) -> Path:
        if not file.is_file():
            raise DataError(f"{file} is missing: meta/episodes.jsonl lists episode {episode.number}")
        return file


def lines_of(path: Path) -> Iterator[Any]:
    """Yield the values of a file with one JSON value a line."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _refuse_version(folder: Path, version: str) -> None:
    if version not in _VERSIONS:
        raise DataError(
            f"{folder} is a LeRobot dataset of format {version}; formats {' and '.join(_VERSIONS)} can be read"
        )


def _episodes(folder: Path, info: Mapping[str, Any]) -> list[Episode]:
    path = folder / "meta" / "episodes.jsonl"
    with reading(str(path)):
        listed = sorted((int(line["episode_index"]), int(line["length"])) for line in lines_of(path))
    starts = [0, *accumulate(length for _, length in listed)]
    for number, (index, length) in enumerate(listed):
        if index < 0 or length < 1 or (number and listed[number - 1][0] == index):
            raise DataError(f"{path}: episode {index} with {length} frames is listed twice, empty, or below 0")
    expected = info.get("total_episodes", len(listed))
    if expected != len(listed):
        raise DataError(f"{path} lists {len(listed)} episodes; meta/info.json says {expected}: the copy is incomplete")
    return [Episode(index, length, start) for (index, length), start in zip(listed, starts, strict=False)]
