"""Which statistics a run takes from a recording, and whether the recording's own are those of its numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError
from ot_builtins.data.lerobot.fields import Fields
from ot_builtins.data.lerobot.statistics import RecordedStatistics
from ot_builtins.data.statistics import FieldStatistics
from ot_builtins.data.storage.recording import Recording
from ot_builtins.data.windows import moments

__all__ = ["described"]

log = logging.getLogger(__name__)

Statistics = Mapping[str, Mapping[str, Tensor]]


def described(
    recording: Recording, fields: Fields, numbers: Mapping[str, Tensor], train: Tensor, source: str
) -> Statistics:
    """Return the statistics of the episodes `train` by field: cameras' are recorded, others `recorded` or `computed`.

    `numbers` are `{field: (N, ...)}` of all episodes. Raises `DataError` for NaN and infinite numbers, and where
    recorded statistics are asked for, and missing or not those of the numbers.
    """
    recorded = RecordedStatistics(recording)
    if source == "recorded" and not recorded.present:
        raise DataError(
            f"{recorded.file} is missing (format v2.0 has none); set data.statistics: computed to take statistics from "
            "the numbers"
        )
    _refuse_nonfinite(recording, fields, numbers)
    if recorded.present:
        _compare(recorded, fields, numbers, source)
    episodes = [recording.episodes[number] for number in train.tolist()]
    cameras = {
        name: recorded.of_camera(camera, episodes) for name, camera in fields.cameras.items() if recorded.has(camera)
    }
    floats = {name: values for name, values in numbers.items() if values.is_floating_point()}
    if source == "computed":
        return {**FieldStatistics(floats, moments(torch.from_numpy(recording.ends), train)), **cameras}
    own = {name: recorded.over(fields.numbers[name], episodes, values.shape[1:]) for name, values in floats.items()}
    return {**own, **cameras}


def _refuse_nonfinite(recording: Recording, fields: Fields, numbers: Mapping[str, Tensor]) -> None:
    for name, values in numbers.items():
        bad = (~values.isfinite().flatten(1).all(1) if values.ndim > 1 else ~values.isfinite()).nonzero().flatten()
        if len(bad):
            row = int(bad[0])
            episode = next(episode for episode in recording.episodes if row < episode.first + episode.length)
            raise DataError(
                f"{recording.parquet(episode)}: '{fields.numbers[name]}' has NaN or infinite numbers in frame "
                f"{row - episode.first} of episode {episode.number} ({len(bad)} of {len(values)} frames have)"
            )


def _compare(recorded: RecordedStatistics, fields: Fields, numbers: Mapping[str, Tensor], source: str) -> None:
    for name, values in numbers.items():
        feature = fields.numbers[name]
        if source == "computed" and not recorded.has(feature):
            continue
        difference = recorded.disagreement(feature, values)
        if difference and source == "recorded":
            raise DataError(
                f"{difference}; set data.statistics: computed to take statistics from the numbers, or restore the file "
                "that belongs to them"
            )
        if difference:
            log.warning("%s; statistics are taken from the numbers", difference)
