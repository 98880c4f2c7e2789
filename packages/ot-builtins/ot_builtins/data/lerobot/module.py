"""Robot recordings in the LeRobot format as windows: camera frames, states, action chunks, and tasks in words."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_trainer_core.errors import DataError
from offline_trainer_core.types import Interval, NonNegativeFloat, NonNegativeInt, PositiveInt
from ot_builtins.data.lerobot.cameras import Cameras
from ot_builtins.data.lerobot.description import described
from ot_builtins.data.lerobot.fields import TASK_NUMBER, divide
from ot_builtins.data.lerobot.loader import WindowLoader
from ot_builtins.data.lerobot.names import dimension_names
from ot_builtins.data.lerobot.timestamps import refuse_gaps
from ot_builtins.data.lerobot.windows import RecordedWindows
from ot_builtins.data.loader import RowLoader
from ot_builtins.data.order import Order, training_order, validation_order
from ot_builtins.data.placement import Placement
from ot_builtins.data.split import hold_out
from ot_builtins.data.storage.formats import open_storage
from ot_builtins.data.storage.lerobot import LeRobot as Storage
from ot_builtins.data.storage.reading import read_fields
from ot_builtins.data.storage.recording import Recording
from ot_builtins.data.windows import EpisodeWindows, Span, Steps, moments, spans

__all__ = ["LeRobot"]

log = logging.getLogger(__name__)


class LeRobot:
    """A LeRobot 2.0 or 2.1 folder as it was recorded: one window at every frame `t` of every episode.

    Fields in `chunked` give `(B, chunk, ...)`, with `<field>_is_pad` `(B, chunk)`, True for frames outside the episode.
    All others give the frames `t - history + 1 .. t` as `(B, history, ...)`: numbers in the shape that `meta/info.json`
    says, cameras as uint8 `(B, history, H, W, 3)`. Frames before an episode repeat its first one, those after it its
    last one. The feature `task` gives a list of `B` texts, the task at `t`; `task_index` gives its number.

    Args:
        path: The folder that has `meta/info.json`.
        fields: `{name in a batch: feature}`.
        batch_size: Windows of a batch over all processes.
        history: Observation frames of a window.
        chunk: Frames of a chunk.
        chunked: The fields that are chunks.
        chunk_from: Where a chunk starts: `current` at `t`, `first_observation` at `t - history + 1`.
        skip_last: How many frames at the end of every episode have no window.
        validation: The fraction of the episodes that is held out, drawn by the run's seed.
        image_size: `[height, width]` to which frames are resized when they are decoded, bilinear with antialiasing.
        video_backend: What decodes videos. `auto`: torchcodec where it can be loaded, else PyAV.
        cache: What is kept of decoded frames. `none`: every batch decodes what it needs. `memory`: all frames, decoded
            when the run starts. `disk`: all frames in a file below `cache_dir`, decoded once for all runs and
            processes.
        cache_dir: The folder of `cache: disk`.
        statistics: `recorded` takes those of `meta/episodes_stats.jsonl`, and refuses them where the numbers say
            otherwise. `computed` takes them from the numbers, and warns where the file says otherwise. Those of cameras
            are always the file's, per channel, 0 to 255.
        tolerance_s: Seconds by which a time stamp may be off: of a frame from `1 / fps` after the one before, of a
            video's picture from its frame.
        num_workers: Processes that read batches ahead; 0 reads them in the training process.
        prefetch_factor: Batches that each worker reads ahead.
        shuffle: Whether the windows of an epoch are shuffled.
        drop_last: Whether a last training batch that is not full is left out. Validation uses every window.

    `stats` describe the floating-point fields and cameras of the training episodes, every frame counted once. `names`
    are what the recording calls the dimensions of numbers.

    Raises:
        DataError: Something is missing, cut short, of another format, or contradicts itself; a batch cannot be filled
            or split.
        DeviceError: The decoded frames do not fit into memory or onto the disk.
    """

    harmless = ("cache", "cache_dir", "num_workers", "prefetch_factor")

    def __init__(
        self,
        path: str | Path,
        fields: Mapping[str, str],
        batch_size: PositiveInt,
        history: PositiveInt = 2,
        chunk: PositiveInt = 16,
        chunked: Sequence[str] = ("action",),
        chunk_from: Literal["current", "first_observation"] = "current",
        skip_last: NonNegativeInt = 0,
        validation: Annotated[float, Interval(ge=0, lt=1)] = 0.1,
        image_size: Sequence[PositiveInt] | None = None,
        video_backend: Literal["auto", "pyav", "torchcodec"] = "auto",
        cache: Literal["none", "memory", "disk"] = "none",
        cache_dir: str | Path | None = None,
        statistics: Literal["recorded", "computed"] = "recorded",
        tolerance_s: NonNegativeFloat = 1e-4,
        num_workers: NonNegativeInt = 0,
        prefetch_factor: PositiveInt | None = None,
        shuffle: bool = True,
        drop_last: bool = True,
    ) -> None:
        if skip_last < 0:
            raise DataError("data.lerobot: skip_last must be at least 0")
        if statistics not in ("recorded", "computed"):
            raise DataError(f"data.lerobot: statistics is recorded or computed, not '{statistics}'")
        self.batch_size = batch_size
        self._path, self._features, self._statistics = Path(path), dict(fields), statistics
        self._spans = spans("data.lerobot", fields, history, chunk, chunked, chunk_from)
        self._skip_last, self._validation, self._tolerance_s = skip_last, validation, tolerance_s
        size = None if image_size is None else tuple(image_size)
        folder = None if cache_dir is None else Path(cache_dir)
        self._cameras = Cameras(size, video_backend, cache, folder, shared=num_workers > 0)
        self._workers: dict[str, Any] = {
            "num_workers": num_workers,
            "prefetch_factor": prefetch_factor if num_workers else None,
            "persistent_workers": num_workers > 0,
        }
        self._shuffle, self._drop_last = shuffle, drop_last
        self._placement = Placement()

    def place(self, *, seed: int, rank: int, world_size: int, device: torch.device) -> None:
        """Say which share of every batch is this process's."""
        self._placement = Placement(seed, rank, world_size, device)

    def setup(self, stage: str | None = None) -> None:
        """Read the numbers of all episodes, look at their videos, and compare what the recording says of itself."""
        storage = open_storage(self._path)
        if not isinstance(storage, Storage):
            raise DataError(f"{self._path} is no LeRobot folder: it has no meta/info.json")
        recording = storage.recording
        self._fields = divide(recording, self._features, self._spans)
        numbers = read_fields(storage, self._fields.numbers) if self._fields.numbers else {}
        stamps = read_fields(storage, {"timestamp": "timestamp"}, {"timestamp": "float64"})["timestamp"].numpy()
        refuse_gaps(recording, stamps, self._tolerance_s)
        train, held = hold_out(len(recording.episodes), self._validation, self._placement.seed, "episodes")
        self.stats = described(recording, self._fields, numbers, train, self._statistics)
        self.names = dimension_names(recording, self._fields.numbers)
        columns = self._columns(storage, numbers, stamps)
        self._train = self._windows(recording, columns, train)
        self._held = self._windows(recording, columns, held)
        log.info("%s: windows %d of %d episodes to train on, %d of %d held out",
                 recording.where, len(self._train), len(train), len(self._held), len(held))  # fmt: skip

    def relative_stats(self, field: str, reference: str, part: slice) -> Mapping[str, Tensor]:
        """Return the statistics of `field` in the windows to train on, less `reference[..., part]` at their moment."""
        return self._train.relative_stats(field, reference, part)

    def train_dataloader(self) -> WindowLoader | RowLoader:
        order = training_order(
            len(self._train), self.batch_size, self._placed, shuffle=self._shuffle, drop_last=self._drop_last
        )
        return self._loader(self._train, order)

    def val_dataloader(self) -> WindowLoader | RowLoader | None:
        if not len(self._held):
            return None
        return self._loader(self._held, validation_order(len(self._held), self.batch_size, self._placed))

    @property
    def _placed(self) -> Placement:
        """Where batches are made: numbers alone on the run's device, what has frames or texts on the CPU."""
        placed = self._placement
        return placed if self._fields.only_numbers else Placement(placed.seed, placed.rank, placed.world_size)

    def _loader(self, windows: RecordedWindows, order: Order) -> WindowLoader | RowLoader:
        if self._fields.only_numbers:
            return RowLoader(windows, order)
        return WindowLoader(windows, order, pin_memory=self._placement.device.type == "cuda", **self._workers)

    def _columns(
        self, storage: Storage, numbers: Mapping[str, Tensor], stamps: NDArray[np.float64]
    ) -> Mapping[str, Steps]:
        """Return every field over all frames, in the order of `fields`; a task as its number."""
        columns: dict[str, Steps] = {name: values.to(self._placed.device) for name, values in numbers.items()}
        for name, feature in self._fields.cameras.items():
            columns[name] = self._cameras.frames(feature, storage.recording, stamps, self._tolerance_s)
        if self._fields.texts:
            tasks = read_fields(storage, dict.fromkeys(self._fields.texts, TASK_NUMBER))
            storage.recording.refuse_unnamed(tasks[self._fields.texts[0]].tolist())
            columns |= tasks
        return {name: columns[name] for name in self._features}

    def _windows(self, recording: Recording, columns: Mapping[str, Steps], episodes: Tensor) -> RecordedWindows:
        ends, texts = torch.from_numpy(recording.ends), self._fields.texts
        spans = self._spans | dict.fromkeys(texts, Span(0, 1, masked=False))
        chosen = moments(ends, episodes, self._skip_last)
        return RecordedWindows(EpisodeWindows(columns, spans, chosen, ends, self._placed.device), recording, texts)
