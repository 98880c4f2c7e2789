"""Reads the fields that a configuration names into tensors, and says what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline_trainer_core.errors import DataError
from offline_trainer_core.spelling import did_you_mean
from ot_builtins.data.storage.parts import column_of
from ot_builtins.data.storage.storage import Array, Column, Storage, reading

__all__ = ["DType", "read_ends", "read_fields"]

DType = Literal["bool", "uint8", "int16", "int32", "int64", "float16", "float32", "float64"]
_DTYPES = get_args(DType)


def read_fields(
    storage: Storage, fields: Mapping[str, str] | None = None, dtypes: Mapping[str, str] | None = None
) -> dict[str, Tensor]:
    """Return `{name: (N, ...)}` of the stored `fields` (`{name: stored name}`; all of them if None) on the CPU.

    `state[0:2]` in the place of a stored name is the first two numbers of every row of `state`. Floating-point fields
    become float32 and all others stay as stored, unless `dtypes` says otherwise. Raises `DataError` for a field that is
    not stored, fields of unequal length, values that a dtype cannot hold, and no rows.
    """
    chosen = {name: name for name in storage.fields} if fields is None else fields
    wanted = dtypes or {}
    _refuse_unknown(wanted, chosen)
    with reading(storage.where):
        columns = {name: column_of(storage, stored) for name, stored in chosen.items()}
        _refuse_unequal({name: column.rows for name, column in columns.items()}, storage.where)
        return {name: _read(column, name, wanted.get(name), storage.where) for name, column in columns.items()}


def read_ends(storage: Storage, rows: int) -> NDArray[np.int64]:
    """Return where each of the episodes that make up `rows` ends, exclusive; raises `DataError` if they do not."""
    if storage.ends is None:
        raise DataError(f"{storage.where} does not say where episodes end: it has no 'episode_ends'")
    ends: NDArray[np.int64] = np.asarray(storage.ends).astype(np.int64)
    falling = np.flatnonzero(np.diff(ends, prepend=0) <= 0)
    if len(falling):
        at = int(falling[0])
        raise DataError(f"{storage.where}: episode_ends must increase, and does not at episode {at} ({ends[at]})")
    if len(ends) == 0 or ends[-1] != rows:
        last = int(ends[-1]) if len(ends) else 0
        raise DataError(f"{storage.where}: its last episode ends at row {last}, and its fields have {rows} rows")
    return ends


def _refuse_unknown(dtypes: Mapping[str, str], fields: Mapping[str, str]) -> None:
    for name, dtype in dtypes.items():
        if name not in fields:
            raise DataError(f"dtypes: no field '{name}'{did_you_mean(name, fields)}; allowed: {', '.join(fields)}")
        if dtype not in _DTYPES:
            raise DataError(
                f"dtypes.{name}: no dtype '{dtype}'{did_you_mean(dtype, _DTYPES)}; allowed: {', '.join(_DTYPES)}"
            )


def _refuse_unequal(lengths: Mapping[str, int], where: str) -> None:
    if not lengths:
        raise DataError(f"{where} has no fields")
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {rows}" for name, rows in lengths.items())
        raise DataError(f"{where}: the fields have unequal numbers of rows: {listed}")
    if not any(lengths.values()):
        raise DataError(f"{where} is empty: {', '.join(lengths)} have no rows")


def _read(column: Column, name: str, dtype: str | None, where: str) -> Tensor:
    values: Array | None = None
    row = 0
    for block in column.blocks:
        if values is None:
            values = np.empty((column.rows, *block.shape[1:]), _dtype(block, name, dtype, where))
        target = values[row : row + len(block)]
        with np.errstate(invalid="ignore"):  # a NaN that becomes an integer is found by the comparison
            target[:] = block
        if values.dtype.kind in "biu" and not np.array_equal(target, block):
            raise DataError(
                f"{where}: '{name}' has values that {values.dtype} cannot hold exactly; choose another dtype"
            )
        row += len(block)
    assert values is not None
    return torch.from_numpy(values)


def _dtype(block: Array, name: str, dtype: str | None, where: str) -> np.dtype[np.generic]:
    if block.dtype.kind not in "biuf":
        raise DataError(f"{where}: '{name}' holds {block.dtype}, not numbers; leave it out of 'fields'")
    if dtype is not None:
        return np.dtype(dtype)
    return np.dtype(np.float32) if block.dtype.kind == "f" else block.dtype.newbyteorder("=")
