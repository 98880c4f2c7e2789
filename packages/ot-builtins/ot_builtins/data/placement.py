"""Where the data of one process lies, and which share of every global batch it is."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from offline_trainer_core.errors import DataError

__all__ = ["Placement"]


@dataclass(frozen=True)
class Placement:
    """What `DataModule.place` says; the defaults are one process on the CPU."""

    seed: int = 0
    rank: int = 0
    world_size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def share(self, rows: int) -> slice:
        """Return this process's contiguous part of a global batch of `rows` rows, as even as it goes."""
        each, over = divmod(rows, self.world_size)
        start = self.rank * each + min(self.rank, over)
        return slice(start, start + each + (self.rank < over))

    def per_process(self, batch_size: int) -> int:
        """Return the rows of a full batch on each process; raises `DataError` where it cannot be split evenly."""
        if batch_size < 1:
            raise DataError(f"batch_size is {batch_size}; it must be at least 1")
        if batch_size % self.world_size:
            raise DataError(
                f"batch_size {batch_size} cannot be split over {self.world_size} processes: "
                f"it counts the rows of all of them, so it must be a multiple of {self.world_size}"
            )
        return batch_size // self.world_size
