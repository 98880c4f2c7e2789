"""The contract of `metric.*`."""

from __future__ import annotations

from typing import Any

import pytest

from offline_trainer_core.testing.contract import Contract

__all__ = ["MetricContract"]


class MetricContract(Contract):
    """A metric adds up over updates, whatever their sizes, and forgets everything at reset."""

    def example(self, count: int) -> dict[str, Any]:
        """Return `outputs`, `targets` and `batch` of the first `count` of at least six fixed samples."""
        raise NotImplementedError(f"{type(self).__name__} must define example(count)")

    def rest(self, start: int) -> dict[str, Any]:
        """Return the samples from `start` to the sixth."""
        return {name: _tail(value, start) for name, value in self.example(6).items()}

    def values(self, *updates: dict[str, Any]) -> dict[str, float]:
        """Return what a fresh metric computes after `updates`."""
        metric = self.make()
        for update in updates:
            metric.update(**update, stage="val")
        return {name: float(value) for name, value in metric.compute().items()}

    @pytest.mark.parametrize("first", [1, 2, 5])
    def test_two_updates_are_worth_the_same_as_one(self, first: int) -> None:
        assert self.values(self.example(first), self.rest(first)) == pytest.approx(self.values(self.example(6)))

    def test_reset_forgets_everything(self) -> None:
        metric = self.make()
        metric.update(**self.example(2), stage="val")
        metric.reset()
        metric.update(**self.rest(2), stage="val")
        assert {n: float(v) for n, v in metric.compute().items()} == pytest.approx(self.values(self.rest(2)))


def _tail(value: Any, start: int) -> Any:
    if isinstance(value, dict):
        return {key: _tail(item, start) for key, item in value.items()}
    return value[start:] if hasattr(value, "shape") else value
