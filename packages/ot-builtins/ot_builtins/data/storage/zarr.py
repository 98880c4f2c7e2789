"""Zarr replay buffers: `data/<field>` of all episodes end to end, `meta/episode_ends` where each one ends.

The layout of Diffusion Policy (Chi et al. 2023) and of the datasets published with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.storage import Column
from ot_builtins.extras import import_extra

__all__ = ["Zarr"]


class Zarr:
    """A `.zarr` folder, of format 2 or 3."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        root: Any = import_extra("zarr", "zarr", f"reading {path}").open_group(str(path), mode="r")
        if "data" not in root:
            raise DataError(f"{path} has no group 'data': a replay buffer keeps its fields in data/<field>")
        self._group = root["data"]
        self.fields = [name for name, _ in self._group.arrays()]
        self.ends = root["meta/episode_ends"][:] if "meta/episode_ends" in root else None

    def column(self, field: str) -> Column:
        array = self._group[field]
        rows, step = array.shape[0], array.chunks[0]
        return Column(rows, (array[row : row + step] for row in range(0, rows, step)))
