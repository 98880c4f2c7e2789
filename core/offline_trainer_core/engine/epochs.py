"""The training loader, epoch by epoch, and the way back to where a checkpoint was in one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import chain
from time import perf_counter
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from offline_trainer_core.engine.batches import opened, with_last
from offline_trainer_core.engine.seeding import Generators

__all__ = ["Epochs", "generators_of", "why_not_repeatable"]

log = logging.getLogger(__name__)


class Epochs:
    """Reads epochs from any of their batches on.

    A loader may draw from the generators when it is iterated: a `DataLoader` takes its order from there. So it begins
    an epoch again with the states that they had when the epoch began.
    """

    def __init__(self, loader: Any, generators: Generators) -> None:
        self._loader, self._generators = loader, generators
        self._begun: Mapping[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"begun": self._begun}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._begun = state["begun"]

    def batches(self, epoch: int, start: int, *, again: bool = False) -> Iterator[tuple[Any, bool]]:
        """Return (batch, whether it is the epoch's last) from batch `start` on; `again` gives the one before it too."""
        if start == 0:
            self._begun = self._generators.state_dict()
            return with_last(opened(self._loader, epoch), self._loader)
        with self._generators.kept():
            if self._begun is not None:
                self._generators.load_state_dict(self._begun)
            first = start - again
            batches = with_last(self._reopened(epoch, first), self._loader, first)
            repeated = [next(batches)] if again else []
        return chain(repeated, batches)

    def _reopened(self, epoch: int, start: int) -> Iterator[Any]:
        if hasattr(self._loader, "set_epoch"):
            return opened(self._loader, epoch, start)
        log.warning("this loader has no set_epoch: reading again through %d batches to where the run was", start)
        began = perf_counter()
        batches = opened(self._loader, epoch)
        for _ in range(start):
            next(batches)
        log.warning("read through %d batches in %.1f s", start, perf_counter() - began)
        return batches


def generators_of(loader: Any) -> list[torch.Generator]:
    """Return the generators that a `DataLoader` and its sampler were given."""
    owners = (loader, *_samplers(loader)) if isinstance(loader, DataLoader) else ()
    found = [getattr(owner, "generator", None) for owner in owners]
    return [generator for generator in dict.fromkeys(found) if isinstance(generator, torch.Generator)]


def why_not_repeatable(loader: Any) -> str | None:
    """Return why it is not known that `loader` gives an epoch's batches again, or None where it is."""
    if hasattr(loader, "set_epoch"):
        return None
    name = type(loader).__name__
    if not isinstance(loader, DataLoader):
        return f"{name} has no set_epoch, so nothing is known of its order"
    if isinstance(loader.dataset, IterableDataset):
        return f"{name} reads an IterableDataset, so nothing is known of its order"
    foreign = [type(s).__name__ for s in _samplers(loader) if not type(s).__module__.startswith("torch.utils.data")]
    if foreign:
        return f"{name} has the sampler {foreign[0]} and no set_epoch, so nothing is known of its order"
    if loader.num_workers and loader.persistent_workers:
        return f"{name} has workers that outlive an epoch, and their random numbers with it"
    return None


def _samplers(loader: DataLoader[Any]) -> tuple[Any, ...]:
    batch_sampler = loader.batch_sampler
    inner = batch_sampler.sampler if isinstance(batch_sampler, BatchSampler) else loader.sampler
    return (inner,) if batch_sampler is None else (batch_sampler, inner)
