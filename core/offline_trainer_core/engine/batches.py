"""The way of a batch from the loader to the update: which epoch, from where on, on which device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch

from offline_trainer_core.errors import DataError
from offline_trainer_core.nest import leaves, map_leaves

__all__ = ["batch_size_of", "epoch_batches", "length_of", "mover", "opened", "with_last"]

_END = object()


def length_of(loader: Any) -> int | None:
    """Return the number of batches of an epoch, or None where the loader does not know."""
    try:
        return len(loader)
    except TypeError:
        return None


def epoch_batches(loader: Any, epoch: int, start: int = 0) -> Iterator[tuple[Any, bool]]:
    """Return (batch, whether it is the epoch's last) from batch `start` of `epoch` on."""
    return with_last(opened(loader, epoch, start), loader, start)


def opened(loader: Any, epoch: int, start: int = 0) -> Iterator[Any]:
    """Return the batches of `epoch` from `start` on; without `set_epoch`, the first `start` are read and dropped."""
    if hasattr(loader, "set_epoch"):
        loader.set_epoch(epoch, start)
        return iter(loader)
    return islice(iter(loader), start, None) if start else iter(loader)


def with_last(batches: Iterator[Any], loader: Any, start: int = 0) -> Iterator[tuple[Any, bool]]:
    """Yield each of the `batches` of `loader`, the first of which is batch `start`, with whether it is the last.

    A loader of unknown length is read one batch ahead.
    """
    length = length_of(loader)
    if length is None:
        yield from _looking_ahead(batches)
        return
    last = length - 1
    for index, batch in enumerate(batches, start):
        yield batch, index == last


def _looking_ahead(batches: Iterator[Any]) -> Iterator[tuple[Any, bool]]:
    batch = next(batches, _END)
    while batch is not _END:
        following = next(batches, _END)
        yield batch, following is _END
        batch = following


def mover(device: torch.device, loader: Any) -> Callable[[Any], Any]:
    """Return what brings batches of `loader` to `device`: nothing, where they already are there."""
    if device.type == "cpu" or getattr(loader, "device", None) == device:
        return lambda batch: batch

    def to_device(leaf: Any) -> Any:
        return leaf.to(device, non_blocking=True) if isinstance(leaf, torch.Tensor) else leaf

    return lambda batch: map_leaves(to_device, batch)


def batch_size_of(batch: Any) -> int:
    """Return the first dimension of the first tensor of `batch`."""
    for _, leaf in leaves(batch):
        if isinstance(leaf, torch.Tensor) and leaf.ndim:
            return leaf.shape[0]
    raise DataError("a batch has no tensor with a batch dimension")
