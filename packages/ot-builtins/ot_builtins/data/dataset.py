"""Any map-style dataset behind a DataLoader: for data that is read or augmented sample by sample."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from offline_trainer_core.errors import DataError
from offline_trainer_core.types import NonNegativeInt, PositiveInt
from ot_builtins.data.faults import Collate, Fault, Samples, unreadable
from ot_builtins.data.order import Order, seed_for, training_order, validation_order
from ot_builtins.data.placement import Placement
from ot_builtins.data.workers import ReadAhead

__all__ = ["DatasetData", "SampleLoader"]


class DatasetData:
    """A dataset with `__len__` and `__getitem__`, batched by a DataLoader in the same order whatever its workers.

    Args:
        dataset: The samples to train on.
        batch_size: Samples of a batch over all processes.
        validation_dataset: The samples to validate on.
        num_workers: Processes that read samples; 0 reads them in the training process.
        pin_memory: Whether batches lie in pinned memory; by default where the run's device is a GPU.
        prefetch_factor: Batches that each worker reads ahead.
        persistent_workers: Whether workers live on between epochs; by default they do.
        multiprocessing_context: How workers start: `fork`, `forkserver` or `spawn`; by default as Python does.
        collate_fn: Makes a batch of a list of samples; by default torch's.
        shuffle: Whether the samples of an epoch are shuffled.
        drop_last: Whether a last training batch that is not full is left out. Validation uses every sample.
        seed_samples: Whether the random numbers of a sample (`random`, `numpy.random`, `torch`) are a function of
            (seed, epoch, sample), so that augmentation is the same with any number of workers and after a restart.
            Costs about 20 µs per sample; not needed where samples are not random.

    `stats` are those of the dataset, if it has any.

    Raises:
        DataError: A dataset is empty or has no length, a batch cannot be filled or split, a sample cannot be read, or
            samples do not fit together.
    """

    harmless = ("num_workers", "pin_memory", "prefetch_factor", "persistent_workers", "multiprocessing_context")

    def __init__(
        self,
        dataset: Any,
        batch_size: PositiveInt,
        validation_dataset: Any = None,
        num_workers: NonNegativeInt = 0,
        pin_memory: bool | None = None,
        prefetch_factor: PositiveInt | None = None,
        persistent_workers: bool = True,
        multiprocessing_context: Literal["fork", "forkserver", "spawn"] | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        shuffle: bool = True,
        drop_last: bool = True,
        seed_samples: bool = True,
    ) -> None:
        self.batch_size = batch_size
        self._dataset, self._validation_dataset = dataset, validation_dataset
        self._pin_memory = pin_memory
        self._collate = Collate(collate_fn)
        self._options: dict[str, Any] = {
            "num_workers": num_workers,
            "prefetch_factor": prefetch_factor,
            "persistent_workers": persistent_workers and num_workers > 0,
            "multiprocessing_context": multiprocessing_context if num_workers else None,
        }
        self._shuffle, self._drop_last, self._seed_samples = shuffle, drop_last, seed_samples
        self._placement = Placement()

    @property
    def stats(self) -> Mapping[str, Any]:
        """The dataset's statistics by field."""
        return getattr(self._dataset, "stats", None) or {}

    def place(self, *, seed: int, rank: int, world_size: int, device: torch.device) -> None:
        """Say which share of every batch is this process's."""
        self._placement = Placement(seed, rank, world_size, device)

    def setup(self, stage: str | None = None) -> None:
        """Look at the lengths of the datasets."""
        self._lengths = [
            _length(dataset, name)
            for name, dataset in (("dataset", self._dataset), ("validation_dataset", self._validation_dataset))
            if dataset is not None
        ]

    def train_dataloader(self) -> SampleLoader:
        order = training_order(
            self._lengths[0],
            self.batch_size,
            self._on_cpu,
            shuffle=self._shuffle,
            drop_last=self._drop_last,
        )
        return self._loader(self._dataset, order)

    def val_dataloader(self) -> SampleLoader | None:
        if self._validation_dataset is None:
            return None
        return self._loader(self._validation_dataset, validation_order(self._lengths[1], self.batch_size, self._on_cpu))

    @property
    def _on_cpu(self) -> Placement:
        placed = self._placement
        return Placement(placed.seed, placed.rank, placed.world_size)

    def _loader(self, dataset: Any, order: Order) -> SampleLoader:
        pin_memory = self._placement.device.type == "cuda" if self._pin_memory is None else self._pin_memory
        seed = self._placement.seed if self._seed_samples else None
        return SampleLoader(dataset, order, seed, collate_fn=self._collate, pin_memory=pin_memory, **self._options)


class SampleLoader(ReadAhead):
    """A DataLoader whose order is given, and that starts at any batch of any epoch without reading those before it."""

    def __init__(self, dataset: Any, order: Order, seed: int | None, **options: Any) -> None:
        """`seed` makes every sample's random numbers a function of (seed, epoch, sample); None leaves them alone."""
        self._sampler = _BatchSampler(order)
        super().__init__(_Seeded(dataset, seed), batch_sampler=self._sampler, **options)

    def __len__(self) -> int:
        return len(self._sampler.order)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Read `epoch` from batch `start` on."""
        self._sampler.epoch, self._sampler.start = epoch, start

    def samples(self, epoch: int, batch: int) -> list[dict[str, int]]:
        """Return which samples a batch is made of. See `protocols.Loader`."""
        return [{"sample": sample} for sample in self._sampler.order.rows(epoch, batch, batch + 1).tolist()]


class _BatchSampler:
    """Yields the (epoch, sample) pairs of each batch. The epoch travels along, since workers outlive an epoch."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return len(self.order) - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self.epoch
        for batch in range(self.start, len(self.order)):
            yield [(epoch, sample) for sample in self.order.rows(epoch, batch, batch + 1).tolist()]


class _Seeded(Dataset[Any]):
    """A dataset indexed by (epoch, sample), each sample read with random numbers of its own."""

    def __init__(self, dataset: Any, seed: int | None) -> None:
        self._dataset = dataset
        self._seed = seed

    def __getitems__(self, keys: Sequence[tuple[int, int]]) -> Samples | Fault:
        numbers = [sample for _, sample in keys]
        if self._seed is None:
            return self._read(numbers)
        sample = partial(self._sample, self._seed, keys[0][0])
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            return self._one_by_one(numbers, sample)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])

    def _read(self, samples: list[int]) -> Samples | Fault:
        if not hasattr(self._dataset, "__getitems__"):
            return self._one_by_one(samples, self._dataset.__getitem__)
        try:
            return Samples(samples, list(self._dataset.__getitems__(samples)))
        except Exception as error:
            return unreadable(error, self._dataset, samples)

    def _one_by_one(self, samples: list[int], read: Callable[[int], Any]) -> Samples | Fault:
        values = []
        for sample in samples:
            try:
                values.append(read(sample))
            except Exception as error:
                return unreadable(error, self._dataset, [sample])
        return Samples(samples, values)

    def _sample(self, run_seed: int, epoch: int, sample: int) -> Any:
        seed = seed_for(run_seed, "sample", epoch, sample)
        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)
        torch.default_generator.manual_seed(seed)
        return self._dataset[sample]


def _length(dataset: Any, name: str) -> int:
    try:
        length = len(dataset)
    except TypeError as error:
        raise DataError(
            f"data.dataset: {name} is a {type(dataset).__name__}, which has no length; it needs __len__ and __getitem__"
        ) from error
    if length == 0:
        raise DataError(f"data.dataset: {name} ({type(dataset).__name__}) is empty")
    return length
