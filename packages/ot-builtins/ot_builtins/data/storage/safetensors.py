"""safetensors files: one tensor per field; `episode_ends`, where there is one, says where episodes end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import safe_open

from ot_builtins.data.storage.storage import Column

__all__ = ["SafeTensors"]


class SafeTensors:
    """A `.safetensors` file. Tensors are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        file: Any = safe_open(path, framework="numpy")
        names = list(file.keys())
        self._file = file
        self.fields = [name for name in names if name != "episode_ends"]
        self.ends = self._file.get_tensor("episode_ends") if "episode_ends" in names else None

    def column(self, field: str) -> Column:
        array = self._file.get_tensor(field)
        return Column(len(array) if array.ndim else 0, [array])
