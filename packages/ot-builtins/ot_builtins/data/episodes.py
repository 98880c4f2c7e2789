"""Demonstrations as windows: a history of observations, and the chunk of actions to predict from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError
from offline_trainer_core.types import Interval, NonNegativeInt, PositiveInt
from ot_builtins.data.lerobot.names import dimension_names
from ot_builtins.data.loader import RowLoader
from ot_builtins.data.order import training_order, validation_order
from ot_builtins.data.placement import Placement
from ot_builtins.data.split import hold_out
from ot_builtins.data.statistics import FieldStatistics
from ot_builtins.data.storage.formats import open_storage
from ot_builtins.data.storage.lerobot import LeRobot
from ot_builtins.data.storage.reading import DType, read_ends, read_fields
from ot_builtins.data.windows import EpisodeWindows, moments, spans

__all__ = ["Episodes"]

log = logging.getLogger(__name__)


class Episodes:
    """One window at every step `t` of every episode, none across an episode's border; all is held on the device.

    Fields in `chunked` give `(B, chunk, ...)`, with `<field>_is_pad` `(B, chunk)`, True for steps outside the episode.
    All other fields give the steps `t - history + 1 .. t` as `(B, history, ...)`. Steps before an episode repeat its
    first one, steps after it its last one.

    Args:
        path: A `.zarr` replay buffer, an `.npz`, `.safetensors` or `.hdf5` file, or a LeRobot 2.x folder.
        fields: `{name in a batch: name in the file}`; `state[0:2]` is the first two numbers of the stored `state`.
        batch_size: Windows of a batch over all processes.
        history: Observation steps of a window.
        chunk: Steps of a chunk.
        chunked: The fields that are chunks.
        chunk_from: Where a chunk starts. `current`: at `t` (ACT, Zhao et al. 2023), so its first action is the next to
            execute. `first_observation`: at `t - history + 1`, beside the first observation (Diffusion Policy, Chi et
            al. 2023), so the action to execute next is number `history - 1`.
        skip_last: How many steps at the end of every episode have no window. Diffusion Policy, which executes `n`
            actions of a chunk, skips `chunk - history + 1 - n`, so that no executed action is padding.
        validation: The fraction of the episodes that is held out, drawn by the run's seed.
        dtypes: `{field: dtype}`; else floating-point fields are float32 and all others as stored. Images that are
            stored as floating-point 0 to 255 take a quarter of the memory as `uint8`.
        shuffle: Whether the windows of an epoch are shuffled.
        drop_last: Whether a last training batch that is not full is left out. Validation uses every window.

    `stats` describe the floating-point fields of the training episodes, every step counted once. `names` are what a
    LeRobot recording calls their dimensions.

    Raises:
        DataError: The path is missing or empty, a field is not in it, lengths differ, `episode_ends` do not increase,
            or a batch cannot be filled or split.
    """

    def __init__(
        self,
        path: str | Path | Mapping[str, Any],
        fields: Mapping[str, str],
        batch_size: PositiveInt,
        history: PositiveInt = 2,
        chunk: PositiveInt = 16,
        chunked: Sequence[str] = ("action",),
        chunk_from: Literal["current", "first_observation"] = "current",
        skip_last: NonNegativeInt = 0,
        validation: Annotated[float, Interval(ge=0, lt=1)] = 0.1,
        dtypes: Mapping[str, DType] | None = None,
        shuffle: bool = True,
        drop_last: bool = True,
    ) -> None:
        if skip_last < 0:
            raise DataError("data.episodes: skip_last must be at least 0")
        self.batch_size = batch_size
        self._path, self._stored, self._dtypes = path, fields, dtypes
        self._spans = spans("data.episodes", fields, history, chunk, chunked, chunk_from)
        self._skip_last, self._validation = skip_last, validation
        self._shuffle, self._drop_last = shuffle, drop_last
        self._placement = Placement()

    def place(self, *, seed: int, rank: int, world_size: int, device: torch.device) -> None:
        """Say which share of every batch is this process's."""
        self._placement = Placement(seed, rank, world_size, device)

    def setup(self, stage: str | None = None) -> None:
        """Read the fields of all episodes."""
        device = self._placement.device
        storage = open_storage(self._path)
        fields = read_fields(storage, self._stored, self._dtypes)
        ends = torch.from_numpy(read_ends(storage, len(next(iter(fields.values())))))
        fields = {name: values.to(device) for name, values in fields.items()}
        train, held = hold_out(len(ends), self._validation, self._placement.seed, "episodes")
        self._train = EpisodeWindows(fields, self._spans, moments(ends, train, self._skip_last), ends, device)
        self._held = EpisodeWindows(fields, self._spans, moments(ends, held, self._skip_last), ends, device)
        self.stats = FieldStatistics(fields, moments(ends, train).to(device))
        self.names = dimension_names(storage.recording, self._stored) if isinstance(storage, LeRobot) else {}
        log.info("%s: windows %d of %d episodes to train on, %d of %d held out",
                 storage.where, len(self._train), len(train), len(self._held), len(held))  # fmt: skip

    def relative_stats(self, field: str, reference: str, part: slice) -> Mapping[str, Tensor]:
        """Return the statistics of `field` in the windows to train on, less `reference[..., part]` at their moment."""
        return self._train.relative_stats(field, reference, part)

    def train_dataloader(self) -> RowLoader:
        placement = self._placement
        order = training_order(
            len(self._train), self.batch_size, placement, shuffle=self._shuffle, drop_last=self._drop_last
        )
        return RowLoader(self._train, order)

    def val_dataloader(self) -> RowLoader | None:
        if not len(self._held):
            return None
        return RowLoader(self._held, validation_order(len(self._held), self.batch_size, self._placement))
