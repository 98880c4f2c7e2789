"""The present value of a field, from which another is counted."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from offline_trainer_core.errors import DataError
from offline_trainer_core.nest import parse_part, parse_path, select

__all__ = ["Reference"]


class Reference(NamedTuple):
    """A field, or a part of its last dimension, at the last step of its history."""

    field: str
    part: slice

    @classmethod
    def of(cls, text: str) -> Reference:
        """Read `field` or `field[start:stop]`."""
        return cls(*parse_part(text))

    def beside(self, value: Tensor, nest: Any) -> Tensor:
        """Return what to subtract from `value (B, ..., A)`: `(B, 1, ..., A)` from a field `(B, D)` or `(B, H, D)`.

        Raises `KeyError` where `nest` lacks the field, `DataError` where the last dimensions differ.
        """
        present: Tensor = select(nest, parse_path(self.field))[..., self.part]
        if present.ndim > 2:
            present = present[:, -1]
        if present.shape[-1] != value.shape[-1]:
            raise DataError(
                f"{self} has {present.shape[-1]} numbers, and what is to be relative to it has {value.shape[-1]}"
            )
        return present.view(present.shape[0], *(1,) * (value.ndim - 2), -1)

    def __str__(self) -> str:
        if self.part == slice(0, None):
            return self.field
        return f"{self.field}[{self.part.start}:{'' if self.part.stop is None else self.part.stop}]"
