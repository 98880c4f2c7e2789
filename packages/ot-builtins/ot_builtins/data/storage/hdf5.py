"""HDF5 files: robomimic's demonstrations, or one flat dataset per field as in D4RL."""

from __future__ import annotations

import re
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from ot_builtins.data.storage.storage import Array, Column
from ot_builtins.extras import import_extra

__all__ = ["Hdf5"]

_BLOCK_ROWS = 1024


class Hdf5:
    """An `.hdf5` file.

    With groups `data/demo_<i>` every group is an episode, and a field is a path in it, such as `actions` or
    `obs/object` (robomimic, Mandlekar et al. 2021). Otherwise every dataset of the file is a field, under its path, and
    `episode_ends`, where there is one, says where episodes end.
    """

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        h5py = import_extra("h5py", "hdf5", f"reading {path}")
        file = h5py.File(path, "r")
        self._episodes = _demonstrations(file) or [file]
        self.fields = [name for name in _datasets(self._episodes[0], h5py) if name != "episode_ends"]
        if self._episodes != [file]:
            lengths = (len(episode[self.fields[0]]) for episode in self._episodes)
            self.ends: Array | None = np.fromiter(accumulate(lengths), dtype=np.int64)
        else:
            self.ends = file["episode_ends"][:] if "episode_ends" in file else None

    def column(self, field: str) -> Column:
        arrays = [episode[field] for episode in self._episodes if field in episode]
        blocks = (array[row : row + _BLOCK_ROWS] for array in arrays for row in range(0, len(array), _BLOCK_ROWS))
        return Column(sum(len(array) for array in arrays), blocks)


def _demonstrations(file: Any) -> list[Any]:
    names = [name for name in file.get("data", ()) if re.fullmatch(r"demo_\d+", name)]
    return [file["data"][name] for name in sorted(names, key=lambda name: int(name.removeprefix("demo_")))]


def _datasets(group: Any, h5py: Any) -> list[str]:
    found: list[str] = []
    group.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) and item.ndim else None)
    return found
