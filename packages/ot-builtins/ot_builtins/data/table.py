"""Rows of named fields, held on a device so that many of them are gathered at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

__all__ = ["RowTable"]

# Fields with rows up to this size are gathered together: every row touched costs the cache lines it lies on, whole.
_NARROW_BYTES = 512


class RowTable:
    """Fields `(N, ...)` of equal length. Narrow fields of one dtype lie side by side in one matrix.

    `fields` are the tensors by name; those of a matrix are views of it.
    """

    def __init__(self, fields: Mapping[str, Tensor], device: torch.device, numbers: Tensor | None = None) -> None:
        """`numbers` `(N,)` are those that the rows have in what they were chosen from; without it, they are all."""
        self.device = device
        self._numbers = numbers
        self.row_bytes = sum(_row_bytes(values) for values in fields.values())
        self.fields = dict(fields)
        self._matrices: list[tuple[Tensor, list[str]]] = []
        self._alone: list[str] = []
        for names in _groups(fields):
            if len(names) == 1:
                self.fields[names[0]] = fields[names[0]].to(device)
                self._alone += names
            else:
                matrix = torch.cat([_flat(fields[name]) for name in names], dim=1).to(device)
                self._matrices.append((matrix, names))
                for name, part in zip(names, _parts(matrix, [fields[name] for name in names]), strict=True):
                    self.fields[name] = part

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the rows with these numbers `(N,)`, every field contiguous."""
        found = {name: self.fields[name].index_select(0, rows) for name in self._alone}
        for matrix, names in self._matrices:
            parts = _parts(matrix.index_select(0, rows), [self.fields[name] for name in names])
            found.update((name, part.contiguous()) for name, part in zip(names, parts, strict=True))
        return {name: found[name] for name in self.fields}

    def name(self, rows: Tensor) -> list[dict[str, int]]:
        """Return the numbers that these rows `(N,)` have in the data."""
        rows = rows.cpu()
        return [{"row": number} for number in (rows if self._numbers is None else self._numbers[rows]).tolist()]


def _parts(matrix: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Return views of the columns of `matrix`, shaped row by row as the tensors that lie in it."""
    shapes = [values.shape[1:] for values in like]
    columns = torch.split(matrix, [shape.numel() for shape in shapes], dim=1)
    return [part.reshape(len(part), *shape) for part, shape in zip(columns, shapes, strict=True)]


def _flat(values: Tensor) -> Tensor:
    return values.reshape(len(values), values.shape[1:].numel())


def _row_bytes(values: Tensor) -> int:
    return values.shape[1:].numel() * values.element_size()


def _groups(fields: Mapping[str, Tensor]) -> list[list[str]]:
    """Return the names of `fields`, those together that are gathered together."""
    groups: dict[object, list[str]] = {}
    for name, values in fields.items():
        key = values.dtype if _row_bytes(values) <= _NARROW_BYTES else name
        groups.setdefault(key, []).append(name)
    return list(groups.values())
