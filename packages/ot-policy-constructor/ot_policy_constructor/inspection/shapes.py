"""Shapes as functions of the batch size: what two batches of different sizes show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from offline_trainer_core.nest import leaves

__all__ = ["ROWS", "Size", "TensorFact", "Value", "facts_of", "linear", "valued", "values_of"]

ROWS = (2, 3)
"""The sizes of the two batches that go through a policy."""


class Size(NamedTuple):
    """A number that is `per_sample * B + constant` for a batch of `B` samples."""

    per_sample: int
    constant: int

    def at(self, samples: int) -> int:
        """Return the number for a batch of `samples`."""
        return self.per_sample * samples + self.constant

    def __str__(self) -> str:
        if not self.per_sample:
            return str(self.constant)
        factor = "" if self.per_sample == 1 else str(self.per_sample)
        return f"{factor}B{self.constant:+d}" if self.constant else f"{factor}B"


class TensorFact(NamedTuple):
    """What one pass saw of a tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    storage: int
    """Which memory the tensor lies in, as `Provenance` numbers it."""


class Value(NamedTuple):
    """A tensor that goes into a module or comes out of it, for a batch of any size."""

    name: str
    sizes: tuple[Size, ...] | None
    """None where the number of dimensions depends on the batch."""
    dtype: str

    def __str__(self) -> str:
        if self.sizes is None:
            return "(?)"
        return f"({', '.join(map(str, self.sizes))}{',' if len(self.sizes) == 1 else ''})"

    @property
    def label(self) -> str:
        """The shape, with the dtype where it is not the usual one."""
        return str(self) if self.dtype == "float32" else f"{self} {self.dtype}"


def linear(first: int, second: int) -> Size:
    """Return the number that is `first` and `second` for the batches of `ROWS` samples."""
    slope = (second - first) // (ROWS[1] - ROWS[0])
    return Size(slope, first - slope * ROWS[0])


def facts_of(nest: Any) -> list[tuple[str, Any]]:
    """Return every tensor of `nest` with its dotted name; a nest that is a tensor has none."""
    return [(".".join(map(str, path)), leaf) for path, leaf in leaves(nest) if hasattr(leaf, "untyped_storage")]


def valued(first: TensorFact, second: TensorFact) -> Value:
    """Return what the same tensor of two passes is for a batch of any size."""
    if len(first.shape) != len(second.shape):
        return Value(first.name, None, first.dtype)
    return Value(first.name, tuple(map(linear, first.shape, second.shape)), first.dtype)


def values_of(first: Sequence[TensorFact], second: Sequence[TensorFact]) -> tuple[Value, ...]:
    """Return what the tensors of two passes are for a batch of any size, those that both have."""
    others = {fact.name: fact for fact in second}
    return tuple(valued(fact, others[fact.name]) for fact in first if fact.name in others)
