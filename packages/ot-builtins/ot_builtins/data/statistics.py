"""Statistics of fields, from which a run normalizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError

__all__ = ["FieldStatistics", "part_of", "relative_statistics", "statistics", "statistics_of_blocks"]

_BLOCK_ELEMENTS = 1 << 22


class FieldStatistics(Mapping[str, Mapping[str, Tensor]]):
    """`{field: {mean, std, min, max, count}}` of floating-point fields, each computed when it is first asked for."""

    def __init__(
        self, fields: Mapping[str, Tensor], rows: Tensor | None = None, *, numbers: Tensor | None = None
    ) -> None:
        """`fields` are `{name: (N, ...)}`; `rows` are the numbers of those to describe, None for all. `numbers` are
        those that these have in the data, where the data has more.
        """
        self._numbers = rows if numbers is None else numbers
        self._fields = {name: values for name, values in fields.items() if values.is_floating_point()}
        self._rows = rows
        self._known: dict[str, Mapping[str, Tensor]] = {}

    def __getitem__(self, field: str) -> Mapping[str, Tensor]:
        if field not in self._known:
            values, rows = self._fields[field], self._rows
            chosen = values if rows is None else values.index_select(0, rows)
            self._known[field] = statistics(chosen, field, self._numbers)
        return self._known[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def statistics(values: Tensor, field: str, numbers: Tensor | None = None) -> dict[str, Tensor]:
    """Return mean, standard deviation (of the population), min and max over the first dimension, and the count.

    Sums are taken in float64. Raises `DataError` where `values` has NaN or infinite numbers; `field` names them, and
    `numbers` are those of the rows in the data, where they are not all of it.
    """
    rows = max(1, _BLOCK_ELEMENTS // max(1, values.shape[1:].numel()))
    found = statistics_of_blocks(lambda: torch.split(values, rows))
    if not found["mean"].isfinite().all():
        bad = (~values.isfinite().reshape(len(values), -1).all(1)).nonzero()
        first = int(bad[0] if numbers is None else numbers[bad[0]])
        raise DataError(
            f"'{field}' has NaN or infinite numbers in {len(bad)} of {len(values)} rows; the first is row {first}"
        )
    return found


def statistics_of_blocks(blocks: Callable[[], Iterable[Tensor]]) -> dict[str, Tensor]:
    """Return what `statistics` does, of the rows of all blocks; `blocks` returns them, and is called twice."""
    seen = [(len(block), block.sum(0, dtype=torch.float64), *block.aminmax(dim=0)) for block in blocks()]
    counts, totals, lows, highs = zip(*seen, strict=True)
    count, low, high = sum(counts), torch.stack(lows), torch.stack(highs)
    mean = torch.stack(totals).sum(0) / count
    squares = torch.stack([(block.double() - mean).square().sum(0) for block in blocks()]).sum(0)
    dtype = torch.promote_types(low.dtype, torch.float32)
    return {
        "mean": mean.to(dtype),
        "std": (squares / count).sqrt().to(dtype),
        "min": low.amin(0),
        "max": high.amax(0),
        "count": torch.tensor(count),
    }


def relative_statistics(fields: Mapping[str, Tensor], field: str, reference: str, part: slice) -> dict[str, Tensor]:
    """Return the statistics of `fields[field]` `(N, A)` less `fields[reference]` `(N, D)[:, part]`, row by row."""
    present = part_of(fields, field, reference, part)
    return statistics(fields[field] - present, f"{field} - {reference}")


def part_of(fields: Mapping[str, Any], field: str, reference: str, part: slice) -> Tensor:
    """Return what `field` is relative to, over all rows. Raises `DataError` where that cannot be subtracted."""
    for name in (field, reference):
        if not (isinstance(fields.get(name), Tensor) and fields[name].is_floating_point()):
            numbers = [known for known, values in fields.items() if isinstance(values, Tensor)]
            raise DataError(f"relative.{field}: '{name}' is no field of numbers; there are: {', '.join(numbers)}")
    present: Tensor = fields[reference][..., part]
    if present.shape[1:] != fields[field].shape[1:]:
        raise DataError(
            f"relative.{field}: a row of '{field}' is {tuple(fields[field].shape[1:])}, and what it is to be relative "
            f"to, of '{reference}', is {tuple(present.shape[1:])}: choose a part of it, such as "
            f"{reference}[0:{fields[field].shape[-1]}]"
        )
    return present
