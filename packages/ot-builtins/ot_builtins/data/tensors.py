"""Named tensors from a file, held on the device: for data that fits into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError
from offline_trainer_core.types import Interval, PositiveInt
from ot_builtins.data.loader import RowLoader
from ot_builtins.data.order import ReplacementOrder, training_order, validation_order
from ot_builtins.data.placement import Placement
from ot_builtins.data.split import hold_out
from ot_builtins.data.statistics import FieldStatistics, relative_statistics
from ot_builtins.data.storage.formats import open_storage
from ot_builtins.data.storage.reading import DType, read_fields
from ot_builtins.data.table import RowTable

__all__ = ["Tensors"]

Source = str | Path | Mapping[str, Any] | Sequence[str | Path]


class Tensors:
    """Rows of named fields, such as the transitions of a replay buffer. A batch is `{field: (B, ...)}`.

    Args:
        data: A file (`.npz`, `.safetensors`, `.hdf5`, `.zarr`), several with the same fields, whose rows are joined, or
            a mapping from names to lists or arrays. Every field has its rows first.
        batch_size: Rows of a batch over all processes.
        fields: `{name in a batch: name in the file}`, where `state[0:2]` is the first two numbers of the stored
            `state`; all fields under their own names if not given.
        validation: A fraction of the rows, drawn by the run's seed, or a source of its own like `data`.
        dtypes: `{field: dtype}`; else floating-point fields are float32 and all others as stored.
        sample: `epoch` takes every row once an epoch, `with_replacement` draws each batch from all rows.
        steps_per_epoch: Batches of an epoch; needed with `with_replacement`, and only there.
        shuffle: Whether the rows of an epoch are shuffled.
        drop_last: Whether a last training batch that is not full is left out. Validation uses every row.

    `stats` describe the floating-point fields of the training rows.

    Raises:
        DataError: A file is missing or empty, a field is not in it, lengths differ, or a batch cannot be filled or
            split.
    """

    def __init__(
        self,
        data: Source,
        batch_size: PositiveInt,
        fields: Mapping[str, str] | None = None,
        validation: Annotated[float, Interval(ge=0, lt=1)] | Source = 0.0,
        dtypes: Mapping[str, DType] | None = None,
        sample: Literal["epoch", "with_replacement"] = "epoch",
        steps_per_epoch: PositiveInt | None = None,
        shuffle: bool = True,
        drop_last: bool = True,
    ) -> None:
        _refuse_contradiction(sample, steps_per_epoch)
        self.batch_size = batch_size
        self._data, self._validation = data, validation
        self._fields, self._dtypes = fields, dtypes
        self._steps, self._shuffle, self._drop_last = steps_per_epoch, shuffle, drop_last
        self._placement = Placement()

    def place(self, *, seed: int, rank: int, world_size: int, device: torch.device) -> None:
        """Say which share of every batch is this process's."""
        self._placement = Placement(seed, rank, world_size, device)

    def setup(self, stage: str | None = None) -> None:
        """Read the files."""
        train = self._read(self._data)
        held: dict[str, Tensor] | None = None
        kept = out = None
        if not isinstance(self._validation, (int, float)):
            held = self._read(self._validation)
        elif self._validation:
            rows = len(next(iter(train.values())))
            kept, out = hold_out(rows, self._validation, self._placement.seed, "rows")
            train, held = _rows(train, kept), _rows(train, out)
        self._train = RowTable(train, self._placement.device, kept)
        self._held = RowTable(held, self._placement.device, out) if held else None
        self.stats = FieldStatistics(self._train.fields, numbers=kept)

    def relative_stats(self, field: str, reference: str, part: slice) -> Mapping[str, Tensor]:
        """Return the statistics of `field` less `reference[..., part]` over the rows to train on."""
        return relative_statistics(self._train.fields, field, reference, part)

    def train_dataloader(self) -> RowLoader:
        rows, placement = len(self._train), self._placement
        if self._steps is not None:
            return RowLoader(self._train, ReplacementOrder(rows, self.batch_size, placement, steps=self._steps))
        order = training_order(rows, self.batch_size, placement, shuffle=self._shuffle, drop_last=self._drop_last)
        return RowLoader(self._train, order)

    def val_dataloader(self) -> RowLoader | None:
        if self._held is None:
            return None
        return RowLoader(self._held, validation_order(len(self._held), self.batch_size, self._placement))

    def _read(self, source: Source) -> dict[str, Tensor]:
        sources = [source] if isinstance(source, (str, Path, Mapping)) else list(source)
        if not sources:
            raise DataError("data.tensors: the list of files under 'data' is empty")
        parts = [read_fields(open_storage(one), self._fields, self._dtypes) for one in sources]
        for one, part in zip(sources, parts, strict=True):
            if _row_shapes(part) != _row_shapes(parts[0]):
                raise DataError(f"{one} has other fields or shapes than {sources[0]}, so their rows cannot be joined")
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]} if len(parts) > 1 else parts[0]


def _refuse_contradiction(sample: str, steps_per_epoch: int | None) -> None:
    if sample not in ("epoch", "with_replacement"):
        raise DataError(f"data.tensors: sample is epoch or with_replacement, not '{sample}'")
    if (sample == "with_replacement") != (steps_per_epoch is not None):
        raise DataError(
            "data.tensors: steps_per_epoch says how many batches an epoch of `sample: with_replacement` has; "
            "give both, or neither"
        )
    if steps_per_epoch is not None and steps_per_epoch < 1:
        raise DataError(f"data.tensors: steps_per_epoch is {steps_per_epoch}; it must be at least 1")


def _row_shapes(fields: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: values.shape[1:] for name, values in fields.items()}


def _rows(fields: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {name: values.index_select(0, rows) for name, values in fields.items()}
