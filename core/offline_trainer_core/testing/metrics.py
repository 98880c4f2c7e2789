"""The contract of `metric.*`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import torch

from offline_trainer_core.distributed import OneProcess
from offline_trainer_core.testing.contract import Contract
from offline_trainer_core.testing.host import no_host_reads

__all__ = ["MetricContract"]


class MetricContract(Contract):
    """A metric adds up over updates and processes, whatever their sizes, and forgets everything at reset."""

    def example(self, count: int) -> dict[str, Any]:
        """Return `outputs`, `targets` and `batch` of the first `count` of at least six fixed samples."""
        raise NotImplementedError(f"{type(self).__name__} must define example(count)")

    def rest(self, start: int) -> dict[str, Any]:
        """Return the samples from `start` to the sixth."""
        return {name: _tail(value, start) for name, value in self.example(6).items()}

    def updated(self, *updates: dict[str, Any]) -> Any:
        """Return a fresh metric after `updates`."""
        metric = self.make()
        for update in updates:
            metric.update(**update, stage="val")
        return metric

    def values(self, *updates: dict[str, Any]) -> dict[str, float]:
        """Return what a fresh metric computes after `updates`."""
        return _numbers(self.updated(*updates))

    def test_values_have_names_and_are_numbers(self) -> None:
        assert self.values(self.example(6)), "compute() gives nothing"

    @pytest.mark.parametrize("first", [1, 2, 5])
    def test_two_updates_are_worth_the_same_as_one(self, first: int) -> None:
        assert self.values(self.example(first), self.rest(first)) == pytest.approx(self.values(self.example(6)))

    def test_reset_forgets_everything(self) -> None:
        metric = self.updated(self.example(2))
        metric.compute()
        metric.reset()
        metric.update(**self.rest(2), stage="val")
        assert _numbers(metric) == pytest.approx(self.values(self.rest(2)))

    @pytest.mark.parametrize("first", [1, 2])
    def test_processes_compute_what_one_would(self, first: int) -> None:
        parts = [self.updated(self.example(first)), self.updated(self.rest(first))]
        if not hasattr(parts[0], "reduce"):
            pytest.fail("it has no reduce(collectives), so every process would log the value of its own samples")
        for found in _reduced(parts):
            assert found == pytest.approx(self.values(self.example(6)))

    def test_an_update_reads_nothing_back_from_the_device(self) -> None:
        metric, example = self.make(), self.example(6)
        with no_host_reads():
            metric.update(**example, stage="val")


class _OneOfTwo(OneProcess):
    """One of two processes that are threads."""

    world_size = 2

    def __init__(self, rank: int, shelf: list[Any], together: Barrier) -> None:
        self.rank = self.local_rank = rank
        self._shelf = shelf
        self._together = together

    def all_reduce_sum(self, tensor: torch.Tensor) -> torch.Tensor:
        self._shelf[self.rank] = tensor
        self._together.wait(timeout=10)
        total: torch.Tensor = self._shelf[0] + self._shelf[1]
        self._together.wait(timeout=10)
        return total


def _reduced(metrics: list[Any]) -> list[dict[str, float]]:
    shelf, together = [None, None], Barrier(2)

    def reduce(rank: int) -> dict[str, float]:
        metrics[rank].reduce(_OneOfTwo(rank, shelf, together))
        return _numbers(metrics[rank])

    with ThreadPoolExecutor(2) as processes:
        return list(processes.map(reduce, (0, 1)))


def _numbers(metric: Any) -> dict[str, float]:
    return {name: float(value) for name, value in metric.compute().items()}


def _tail(value: Any, start: int) -> Any:
    if isinstance(value, dict):
        return {key: _tail(item, start) for key, item in value.items()}
    return value[start:] if hasattr(value, "shape") else value
