"""Batches of rows that are held on the device: no DataLoader in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from ot_builtins.data.order import Order

__all__ = ["RowLoader", "Rows"]

# Batches are gathered several at a time and handed out as views: one gather of many rows costs little more than one of
# a few. A block stays small enough to lie in the processor's cache until its last batch is used.
_BLOCK_BYTES = 1 << 20
_BLOCK_BATCHES = 64


class Rows(Protocol):
    """What a loader reads from: rows that can be gathered by number."""

    device: torch.device
    row_bytes: int
    """Size of one row in a batch."""

    def __len__(self) -> int: ...

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the rows with these numbers `(N,)`: every field contiguous, as `(N, ...)`."""

    def name(self, rows: Tensor) -> list[dict[str, Any]]:
        """Return what each of the rows with these numbers is in the data, for a report."""


class RowLoader:
    """Yields batches `{field: (B, ...)}` in a given order; starts at any batch of any epoch at no cost.

    Tensors of one batch may share memory with those of neighbouring batches, never with the data: a batch may be
    changed in place.
    """

    def __init__(self, source: Rows, order: Order) -> None:
        self.device = source.device
        self._source, self._order = source, order
        self._epoch = self._start = 0
        batch_bytes = max(1, source.row_bytes * order.share)
        self._block = max(1, min(_BLOCK_BATCHES, _BLOCK_BYTES // batch_bytes))

    def __len__(self) -> int:
        return len(self._order)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Read `epoch` from batch `start` on; the same epoch gives the same batches."""
        self._epoch, self._start = epoch, start

    def samples(self, epoch: int, batch: int) -> list[dict[str, Any]]:
        """Return what the rows of a batch are in the data. See `protocols.Loader`."""
        return self._source.name(self._order.rows(epoch, batch, batch + 1))

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return self._batches(self._epoch, self._start)

    def _batches(self, epoch: int, start: int) -> Iterator[dict[str, Tensor]]:
        share, batches = self._order.share, len(self._order)
        for first in range(start, batches, self._block):
            rows = self._order.rows(epoch, first, min(first + self._block, batches))
            block = self._source.gather(rows)
            for values in zip(*(torch.split(field, share) for field in block.values()), strict=True):
                yield dict(zip(block, values, strict=True))
