"""Samples that cannot be read or do not fit together, told as values: an exception that leaves a DataLoader's worker is
rebuilt from the text of its traceback, without saying which sample it was.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import default_collate, get_worker_info

from offline_trainer_core.errors import DataError, DeviceError, OfflineTrainerError
from offline_trainer_core.nest import describe

__all__ = ["Collate", "Fault", "Samples", "listed", "unreadable"]

_SHOWN = 8
"""Samples that a message names."""


@dataclass(frozen=True)
class Samples:
    """What a dataset gave for one batch, with the numbers of the samples."""

    numbers: Sequence[int]
    values: list[Any]


@dataclass(frozen=True)
class Fault:
    """Stands for a batch that could not be made."""

    error: OfflineTrainerError
    cause: Exception | None

    @staticmethod
    def of(error: OfflineTrainerError, cause: Exception) -> Fault:
        """Return the fault; out of a worker travels the message alone, since not every exception can."""
        return Fault(error, cause if get_worker_info() is None else None)

    def throw(self) -> None:
        """Raise the error in the process that trains."""
        raise self.error from self.cause


def unreadable(error: Exception, dataset: Any, numbers: Sequence[int]) -> Fault:
    """Return the fault of a dataset that raised `error` for one of the samples with these numbers."""
    which = f"{listed(numbers)} of data.dataset ({type(dataset).__name__})"
    if isinstance(error, MemoryError):
        return Fault.of(DeviceError(f"out of memory while reading {which}: {_ADVICE}"), error)
    said = str(error) if isinstance(error, OfflineTrainerError) else f"{type(error).__name__}: {error}"
    return Fault.of(DataError(f"cannot read {which}, at {_place(error, dataset)}: {said}"), error)


class Collate:
    """Makes a batch of samples, and says of samples that do not fit together which ones and why."""

    def __init__(self, collate_fn: Callable[[list[Any]], Any] | None) -> None:
        self._collate = collate_fn or default_collate

    def __call__(self, samples: Samples | Fault) -> Any:
        if isinstance(samples, Fault):
            return samples
        try:
            return self._collate(samples.values)
        except Exception as error:
            return _apart(error, samples)


def _apart(error: Exception, samples: Samples) -> Fault:
    text = str(error)
    if isinstance(error, MemoryError) or "shared memory" in text or "unable to write to file" in text:
        return Fault.of(DeviceError(f"out of memory while joining {listed(samples.numbers)}: {_ADVICE}"), error)
    difference = _difference(samples)
    reason = difference or f"{type(error).__name__}: {error}"
    return Fault.of(DataError(f"samples of data.dataset cannot be joined to a batch: {reason}"), error)


_ADVICE = (
    "lower data.num_workers, data.prefetch_factor or data.batch_size; in a container, give more shared memory "
    "(docker run --shm-size=8g)"
)


def _difference(samples: Samples) -> str:
    """Return the first field in which a sample differs from the first one, with both."""
    first = {name: (shape, dtype) for name, shape, dtype in describe(samples.values[0])}
    for number, value in zip(samples.numbers, samples.values, strict=False):
        other = {name: (shape, dtype) for name, shape, dtype in describe(value)}
        for name in first.keys() | other.keys():
            one, two = (_described(fields.get(name)) for fields in (first, other))
            if one != two:
                return f"'{name}' is {one} in sample {samples.numbers[0]} and {two} in sample {number}"
    return ""


def _described(field: tuple[str, str] | None) -> str:
    return "missing" if field is None else " ".join(filter(None, field))


def _place(error: Exception, dataset: Any) -> str:
    """Return file and line where the dataset's own code stood."""
    package = type(dataset).__module__.partition(".")[0]
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [at for at in frames if str(at[0].f_globals.get("__name__", "")).partition(".")[0] == package]
    frame, line = (own or frames)[-1]
    return f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{line}"


def listed(numbers: Sequence[int]) -> str:
    """Return the numbers of samples in words, not more of them than one can look at."""
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"sample{'s' if len(numbers) > 1 else ''} {shown}{more}"
