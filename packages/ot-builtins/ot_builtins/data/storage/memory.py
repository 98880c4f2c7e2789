"""Arrays, tensors or lists that are given in the place of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ot_builtins.data.storage.storage import Array, Column

__all__ = ["Memory"]


class Memory:
    """A mapping from names to arrays, tensors or (nested) lists of numbers, rows first.

    `episode_ends`, where there is one, says where episodes end.
    """

    where = "the mapping under 'data'"

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.fields = [str(name) for name in values if name != "episode_ends"]
        self.ends = _array(values["episode_ends"]) if "episode_ends" in values else None
        self._values = values

    def column(self, field: str) -> Column:
        array = _array(self._values[field])
        return Column(len(array) if array.ndim else 0, [array])


def _array(value: Any) -> Array:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
