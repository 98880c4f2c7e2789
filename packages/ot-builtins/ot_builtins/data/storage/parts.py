"""Stored fields by their names, or a part of one: `state[0:2]` is the first two numbers of every row of `state`."""

from __future__ import annotations

from offline_trainer_core.errors import DataError
from offline_trainer_core.nest import parse_part
from offline_trainer_core.spelling import did_you_mean
from ot_builtins.data.storage.storage import Array, Column, Storage

__all__ = ["column_of"]


def column_of(storage: Storage, stored: str) -> Column:
    """Return the column that `stored` names: a field, or `field[start:stop]`, a slice of its last dimension.

    Raises `DataError` for a field that is not stored, and for a slice that is empty or not wholly in the field.
    """
    field, part = (stored, slice(0, None)) if stored in storage.fields else parse_part(stored)
    if field not in storage.fields:
        raise DataError(f"{storage.where} has no field '{field}'{did_you_mean(field, storage.fields)}; it has: "
                        f"{', '.join(storage.fields) or 'none'}")  # fmt: skip
    column = storage.column(field)
    if field == stored:
        return column
    where = f"{storage.where}: '{stored}'"
    return Column(column.rows, (_slice(block, part, where) for block in column.blocks))


def _slice(block: Array, part: slice, where: str) -> Array:
    if block.ndim < 2:
        raise DataError(f"{where} asks for a part of single numbers; leave the brackets out")
    width = block.shape[-1]
    if not part.start < (width if part.stop is None else part.stop) <= width:
        raise DataError(f"{where} is no part of rows whose last dimension is {width}, 0 to {width - 1}")
    return block[..., part]
