"""Arrays, tensors or lists that are given in the place of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ot_builtins.data.storage.storage import Array, Column

__all__ = ["Memory"]


class Memory:
    """A mapping from names to arrays, tensors or (nested) lists of numbers, rows first."""

    where = "the mapping under 'data'"
    ends = None

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.fields = [str(name) for name in values]
        self._values = values

    def column(self, field: str) -> Column:
        value = self._values[field]
        array: Array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        return Column(len(array) if array.ndim else 0, [array])
