"""Batches that workers read ahead, for as long as a run needs them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch.utils.data import DataLoader, Dataset

from offline_trainer_core.distributed import endure_signals
from ot_builtins.data.faults import Fault
from ot_builtins.data.order import generator_for

__all__ = ["ReadAhead"]


class ReadAhead:
    """Yields what a DataLoader does; a `Fault` among its batches is raised."""

    def __init__(self, dataset: Dataset[Any], **options: Any) -> None:
        """`options` are those of a DataLoader: what is read, how many workers, how far ahead, pinned memory."""
        self._open = partial(
            DataLoader,
            dataset,
            generator=generator_for("workers"),  # torch draws a seed whenever workers start; those of the run stay
            worker_init_fn=endure_signals,
            **options,
        )
        self._loader: DataLoader[Any] = self._open()

    def close(self) -> None:
        """End the workers that outlive an epoch; another epoch starts new ones."""
        self._loader = self._open()

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            if isinstance(batch, Fault):
                batch.throw()
            yield batch
