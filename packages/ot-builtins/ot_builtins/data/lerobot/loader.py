"""Batches of windows that workers gather ahead, in a given order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

from offline_trainer_core.errors import DataError, OfflineTrainerError
from ot_builtins.data.faults import Fault
from ot_builtins.data.lerobot.windows import RecordedWindows
from ot_builtins.data.order import Order
from ot_builtins.data.workers import ReadAhead

__all__ = ["WindowLoader"]


class WindowLoader(ReadAhead):
    """Yields batches; starts at any batch of any epoch without reading those before it."""

    def __init__(self, windows: RecordedWindows, order: Order, **options: Any) -> None:
        """`options` are those of a DataLoader: how many workers, how far ahead, pinned memory."""
        self.device = torch.device("cpu")
        self._windows, self._batches = windows, _Batches(order)
        super().__init__(_Gathered(windows), sampler=self._batches, batch_size=None, collate_fn=_as_it_is, **options)

    def __len__(self) -> int:
        return len(self._batches.order)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Read `epoch` from batch `start` on."""
        self._batches.epoch, self._batches.start = epoch, start

    def samples(self, epoch: int, batch: int) -> list[dict[str, Any]]:
        """Return which windows a batch is made of. See `protocols.Loader`."""
        return self._windows.name(self._batches.order.rows(epoch, batch, batch + 1))


class _Batches(Sampler[list[int]]):
    """Yields the numbers of the windows of each batch."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return len(self.order) - self.start

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self.epoch
        for batch in range(self.start, len(self.order)):
            yield self.order.rows(epoch, batch, batch + 1).tolist()


class _Gathered(Dataset[Any]):
    """A dataset whose items are whole batches, or what kept one from being read."""

    def __init__(self, windows: RecordedWindows) -> None:
        self._windows = windows

    def __getitem__(self, numbers: list[int]) -> dict[str, Any] | Fault:
        rows = torch.tensor(numbers)
        try:
            return self._windows.gather(rows)
        except OfflineTrainerError as error:
            return Fault(error, None)
        except Exception as error:
            return Fault.of(DataError(f"data.lerobot cannot read a batch: {type(error).__name__}: {error}"), error)


def _as_it_is(batch: Any) -> Any:
    return batch
