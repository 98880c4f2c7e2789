"""What a policy is to observe: its fields, their shapes and types; and observations compared with that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError

__all__ = ["FieldInfo", "fitting", "flattened", "nested"]


class FieldInfo(NamedTuple):
    """One field of an observation: its shape without the batch dimension, and the name of its type."""

    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype} ({', '.join(('B', *map(str, self.shape)))})"


def flattened(observation: Mapping[str, Any], device: torch.device) -> dict[str, Tensor]:
    """Return an observation, by dotted field names or a nest, as `{field: tensor}` on `device`.

    float64, in which environments compute, becomes float32, in which policies are trained.
    """
    fields: dict[str, Tensor] = {}
    for name, part in observation.items():
        if isinstance(part, Mapping):
            fields |= {f"{name}.{field}": value for field, value in flattened(part, device).items()}
        else:
            value = torch.as_tensor(part).to(device)
            fields[name] = value.float() if value.dtype is torch.float64 else value
    return fields


def nested(fields: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return `fields` with those of dotted names also as a nest: both ways of reading a batch find them."""
    nest: dict[str, Any] = dict(fields)
    for field, value in fields.items():
        *folders, name = field.split(".")
        place: Any = nest
        for folder in folders:
            place = place.setdefault(folder, {}) if isinstance(place, dict) else {}
        if isinstance(place, dict):
            place[name] = value
    return nest


def fitting(observation: Mapping[str, Tensor], fields: Mapping[str, FieldInfo]) -> dict[str, Tensor]:
    """Return those fields of `observation` that the policy reads; raises `DataError` with all that do not fit."""
    wrong = [text for field, info in fields.items() if (text := _flaw(field, info, observation.get(field)))]
    rows = {field: len(observation[field]) for field in fields if not wrong}
    if len(set(rows.values())) > 1:
        wrong = [f"the fields have different numbers of rows: {', '.join(f'{f} {n}' for f, n in rows.items())}"]
    if wrong:
        raise DataError(
            f"this is not what the policy observes: {'; '.join(wrong)}. It observes "
            f"{', '.join(f'{field}: {info}' for field, info in fields.items())}"
        )
    return {field: observation[field] for field in fields}


def _flaw(field: str, info: FieldInfo, value: Tensor | None) -> str:
    """Return how `value` differs from what the field is to be; an empty text where it fits."""
    if value is None:
        return f"it has no field '{field}'"
    given = FieldInfo(tuple(value.shape[1:]), str(value.dtype).removeprefix("torch."))
    if value.ndim == 0 or given.shape != info.shape:
        hint = ", which lacks the batch dimension" if tuple(value.shape) == info.shape else ""
        return f"'{field}' has the shape {tuple(value.shape)}{hint}"
    return "" if given.dtype == info.dtype else f"'{field}' is {given.dtype}"
