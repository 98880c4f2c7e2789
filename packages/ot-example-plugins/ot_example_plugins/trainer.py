"""A trainer that wraps another one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from offline_trainer_core import PositiveInt, RunResult


class Overfit:
    """Trains on the first few batches over and over: the first thing to try when a model does not learn.

    A model, loss and optimizer that fit together bring the loss near zero; if they do not, more data will not help.
    `batches` is how many batches make up an epoch; all other arguments are those of `trainer.default`.
    """

    def __init__(self, batches: PositiveInt = 1, **arguments: Any) -> None:
        self.batches = batches
        self.arguments = arguments

    def fit(self, *, registry: Any, datamodule: Any, **parts: Any) -> RunResult:
        inner = registry.get_module("trainer.default").target(**self.arguments)
        few = FewBatches(datamodule, self.batches)
        result: RunResult = inner.fit(registry=registry, datamodule=few, **parts)
        return result


class FewBatches:
    """A data module reduced to its first batches, for training and for validation alike."""

    def __init__(self, datamodule: Any, count: int) -> None:
        self._datamodule = datamodule
        self._count = count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._datamodule, name)

    def train_dataloader(self) -> Repeated:
        self._first = list(islice(iter(self._datamodule.train_dataloader()), self._count))
        return Repeated(self._first)

    def val_dataloader(self) -> Repeated:
        return Repeated(self._first)


class Repeated:
    """The same batches in every epoch."""

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches
        self._start = 0

    def __len__(self) -> int:
        return len(self._batches)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        self._start = start

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches[self._start :])
