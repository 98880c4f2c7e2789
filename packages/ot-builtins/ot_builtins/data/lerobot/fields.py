"""What the fields of a batch are in a recording: numbers, cameras, or the task in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from offline_trainer_core.errors import DataError
from offline_trainer_core.spelling import did_you_mean
from ot_builtins.data.storage.recording import Recording
from ot_builtins.data.windows import Span

__all__ = ["TASK", "TASK_NUMBER", "Fields", "divide"]

TASK, TASK_NUMBER = "task", "task_index"


@dataclass(frozen=True)
class Fields:
    """`{name in a batch: feature}` of each sort."""

    numbers: Mapping[str, str]
    cameras: Mapping[str, str]
    texts: tuple[str, ...]
    """Names in a batch of the task in words."""

    @property
    def only_numbers(self) -> bool:
        """Whether batches are tensors that can be gathered on any device."""
        return not self.cameras and not self.texts


def divide(recording: Recording, fields: Mapping[str, str], spans: Mapping[str, Span]) -> Fields:
    """Return the fields by sort; raises `DataError` for a feature that the recording does not have, or not as such."""
    offered = [*recording.numbers, *recording.cameras, TASK]
    if not fields:
        raise DataError(f"data.lerobot: fields is empty; {recording.where} has: {', '.join(offered)}")
    for name, feature in fields.items():
        if feature not in offered:
            _refuse(recording, name, feature, offered)
        if feature == TASK and spans[name].masked:
            raise DataError(f"data.lerobot: chunked names '{name}', which is the task: one text for a window")
    return Fields(
        {name: feature for name, feature in fields.items() if feature in recording.numbers},
        {name: feature for name, feature in fields.items() if feature in recording.cameras},
        tuple(name for name, feature in fields.items() if feature == TASK),
    )


def _refuse(recording: Recording, name: str, feature: str, offered: list[str]) -> None:
    there = f"there are: {', '.join(offered)}"
    if feature in recording.features:
        dtype = recording.features[feature].get("dtype")
        raise DataError(
            f"{recording.where}: fields.{name} is '{feature}', of dtype {dtype}, and only numbers and videos are read; "
            f"{there}"
        )
    raise DataError(
        f"{recording.where} has no feature '{feature}' (fields.{name}){did_you_mean(feature, offered)}; {there}"
    )
