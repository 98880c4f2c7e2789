"""Whether two runs came to the same: weights to the bit, else the first number in which they part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore, FileEntry, Manifest, read_metrics

__all__ = ["Outcome", "Parting", "compare_outcomes"]

_RANDOMNESS = re.compile(r"rank\d+\.(generators|epoch|step)\.")
"""Files of a checkpoint with states of random generators: what they led to is compared."""
_MEASURED = re.compile(r"time|(.*_)?(per_second|seconds|wait|memory)")
"""Metrics that say how fast a run was, and not what it came to."""


class Parting(NamedTuple):
    """The first number in which two runs differ; None where a run has not logged it."""

    step: int
    stage: str
    metric: str
    original: Any
    repeated: Any

    @property
    def relative(self) -> float | None:
        """The difference in relation to the original value, where both are numbers."""
        if not all(isinstance(value, (int, float)) for value in (self.original, self.repeated)):
            return None
        return abs(self.repeated - self.original) / abs(self.original) if self.original else None


@dataclass(frozen=True)
class Outcome:
    """What the repetition of a run came to, up to optimizer step `step`."""

    original: Path
    repeated: Path
    step: int
    differing: tuple[str, ...] | None
    """Files of weights, optimizers and averages that are not the same; None where there is no checkpoint to compare."""
    parting: Parting | None
    """Where the metrics part, if they do."""

    @property
    def is_same(self) -> bool:
        """Whether all weights and optimizer states are equal to the bit; without checkpoints, all metrics."""
        return not self.differing if self.differing is not None else self.parting is None


def compare_outcomes(original: Path, repeated: Path, step: int) -> Outcome:
    """Compare two runs at `step`: their checkpoints by the digests in the manifests, and what they logged up to it.

    Raises `CheckpointError` where a checkpoint is damaged.
    """
    first, second = (_state_at(folder / "checkpoints", step) for folder in (original, repeated))
    differing = None
    if first is not None:
        second = second or {}
        differing = tuple(sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name)))
    parting = next(_partings(*(_numbers(folder, step) for folder in (original, repeated))), None)
    return Outcome(original, repeated, step, differing, parting)


def _state_at(folder: Path, step: int) -> Mapping[str, FileEntry] | None:
    """Return the files of tensors of the newest checkpoint of `step`, random generators left out; None without one."""
    for name in reversed(CheckpointStore(folder).names()):
        try:
            manifest = Manifest.read(folder / name)
        except CheckpointError:
            continue
        if manifest.counters.get("global_step") == step:
            manifest.verify(folder / name)
            tensors = {name: entry for name, entry in manifest.files.items() if name.endswith(".safetensors")}
            return {name: entry for name, entry in tensors.items() if not _RANDOMNESS.match(name)}
    return None


_Number = tuple[int, str, str, Any]
"""Step, stage, metric, value."""


def _numbers(folder: Path, step: int) -> Iterator[_Number]:
    for line in read_metrics(folder / "metrics.jsonl"):
        for metric, value in line.items() if line["step"] <= step else ():
            if metric not in ("step", "stage") and not _MEASURED.fullmatch(metric):
                yield line["step"], line["stage"], metric, value


def _partings(first: Iterator[_Number], second: Iterator[_Number]) -> Iterator[Parting]:
    for one, other in zip_longest(first, second):
        if one is not None and other is not None and one[:3] == other[:3]:
            if one[3] != other[3]:
                yield Parting(one[0], one[1], one[2], one[3], other[3])
        elif one is not None:
            yield Parting(one[0], one[1], one[2], one[3], None)
        else:
            yield Parting(other[0], other[1], other[2], None, other[3])
