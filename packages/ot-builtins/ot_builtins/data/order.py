"""Which rows each batch of an epoch holds: a pure function of (seed, epoch), the same on any number of processes."""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError
from ot_builtins.data.placement import Placement

__all__ = [
    "EpochOrder",
    "Order",
    "ReplacementOrder",
    "generator_for",
    "seed_for",
    "training_order",
    "validation_order",
]


def seed_for(*keys: int | str) -> int:
    """Return a seed of 64 bits that depends on `keys` alone."""
    return int.from_bytes(blake2b(repr(keys).encode(), digest_size=8).digest(), "little")


def generator_for(*keys: int | str) -> torch.Generator:
    """Return a generator on the CPU whose numbers depend on `keys` alone."""
    return torch.Generator().manual_seed(seed_for(*keys))


class Order(Protocol):
    """The row numbers of this process's share of every batch."""

    share: int
    """Rows of a full batch on this process."""

    def __len__(self) -> int:
        """Return the number of batches of an epoch on this process."""

    def rows(self, epoch: int, start: int, stop: int) -> Tensor:
        """Return the row numbers of the batches from `start` up to `stop`, one after another, on the device."""


class EpochOrder:
    """Every row once an epoch, shuffled or in order; a last batch that is not full is dropped or kept.

    A last batch that is kept is split over the processes as evenly as it goes; a process for which nothing is left has
    one batch less.
    """

    def __init__(self, rows: int, batch_size: int, placement: Placement, *, shuffle: bool, drop_last: bool) -> None:
        self.share = placement.per_process(batch_size)
        self._rows, self._batch_size, self._placement = rows, batch_size, placement
        self._shuffle = shuffle
        full, rest = divmod(rows, batch_size)
        tail = placement.share(0 if drop_last else rest)
        self._full, self._tail = full, slice(full * batch_size + tail.start, full * batch_size + tail.stop)
        self._epoch: int | None = None
        self._order = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return self._full + int(self._tail.stop > self._tail.start)

    def rows(self, epoch: int, start: int, stop: int) -> Tensor:
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._of_epoch(epoch).to(self._placement.device)
        return self._order[start * self.share : stop * self.share]

    def _of_epoch(self, epoch: int) -> Tensor:
        if self._shuffle:
            order = torch.randperm(self._rows, generator=generator_for(self._placement.seed, "epoch", epoch))
        else:
            order = torch.arange(self._rows)
        full = order[: self._full * self._batch_size].view(self._full, self._batch_size)
        return torch.cat([full[:, self._placement.share(self._batch_size)].reshape(-1), order[self._tail]])


class ReplacementOrder:
    """Every batch a fresh uniform draw from all rows, as off-policy and offline RL sample a replay buffer."""

    # Numbers are drawn for this many batches at a time, so that any batch of a long epoch is reached at once.
    _DRAWN_TOGETHER = 256

    def __init__(self, rows: int, batch_size: int, placement: Placement, *, steps: int) -> None:
        self.share = placement.per_process(batch_size)
        self._rows, self._batch_size, self._placement, self._steps = rows, batch_size, placement, steps
        self._drawn: tuple[int, int] | None = None
        self._order = torch.empty(0, 0, dtype=torch.int64)

    def __len__(self) -> int:
        return self._steps

    def rows(self, epoch: int, start: int, stop: int) -> Tensor:
        parts = []
        while start < stop:
            draw, offset = divmod(start, self._DRAWN_TOGETHER)
            until = min(self._DRAWN_TOGETHER, offset + stop - start)
            parts.append(self._draw(epoch, draw)[offset:until].reshape(-1))
            start += until - offset
        return torch.cat(parts)

    def _draw(self, epoch: int, draw: int) -> Tensor:
        if self._drawn != (epoch, draw):
            generator = generator_for(self._placement.seed, "draw", epoch, draw)
            rows = torch.randint(self._rows, (self._DRAWN_TOGETHER, self._batch_size), generator=generator)
            mine = rows[:, self._placement.share(self._batch_size)]
            self._drawn, self._order = (epoch, draw), mine.to(self._placement.device)
        return self._order


def training_order(
    rows: int, batch_size: int, placement: Placement, *, shuffle: bool = True, drop_last: bool = True
) -> EpochOrder:
    """Return the order of training batches, every one of which is split evenly, so that gradients weigh rows alike.

    Raises `DataError` where there is not one batch, or where a last batch that is kept cannot be split evenly.
    """
    placement.per_process(batch_size)
    if rows == 0:
        raise DataError("there are no rows to train on")
    if drop_last and rows < batch_size:
        raise DataError(
            f"{rows} rows to train on do not fill one batch of {batch_size}: lower batch_size, or set drop_last: false"
        )
    rest = 0 if drop_last else rows % batch_size
    if rest % placement.world_size:
        raise DataError(
            f"the last batch of an epoch has {rest} rows, which {placement.world_size} processes cannot share evenly: "
            "set drop_last: true, or choose another batch_size"
        )
    return EpochOrder(rows, batch_size, placement, shuffle=shuffle, drop_last=drop_last)


def validation_order(rows: int, batch_size: int, placement: Placement) -> EpochOrder:
    """Return the order of validation batches: all rows as stored. Raises `DataError` with fewer rows than processes."""
    if rows < placement.world_size:
        raise DataError(f"{rows} rows to validate on cannot be shared by {placement.world_size} processes")
    return EpochOrder(rows, batch_size, placement, shuffle=False, drop_last=False)
