"""NumPy archives: one array per field; `episode_ends`, where there is one, says where episodes end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ot_builtins.data.storage.storage import Column

__all__ = ["Npz"]


class Npz:
    """An `.npz` file. Arrays are read when they are asked for; pickled objects are refused."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._file = np.load(path, allow_pickle=False)
        self.fields = [name for name in self._file.files if name != "episode_ends"]
        self.ends = self._file["episode_ends"] if "episode_ends" in self._file.files else None

    def column(self, field: str) -> Column:
        array = self._file[field]
        return Column(len(array) if array.ndim else 0, [array])
