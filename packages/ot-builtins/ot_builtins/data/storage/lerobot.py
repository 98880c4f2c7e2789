"""LeRobot datasets, format 2.x: a folder with `meta/info.json` and one Parquet file per episode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.storage import Array, Column
from ot_builtins.extras import import_extra

__all__ = ["LeRobot"]


class LeRobot:
    """A LeRobot folder. Fields are its features that lie in the Parquet files; videos are not read."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._info = json.loads((path / "meta" / "info.json").read_text(encoding="utf-8"))
        version = str(self._info.get("codebase_version", "unknown"))
        if not version.startswith("v2."):
            raise DataError(f"{path} is a LeRobot dataset of format {version}; formats v2.0 and v2.1 can be read")
        features = self._info["features"]
        self.fields = [
            name for name, feature in features.items() if feature["dtype"] not in ("video", "image", "string")
        ]
        lines = (path / "meta" / "episodes.jsonl").read_text(encoding="utf-8").splitlines()
        episodes = sorted((json.loads(line) for line in lines if line.strip()), key=lambda e: int(e["episode_index"]))
        self._episodes = [(int(episode["episode_index"]), int(episode["length"])) for episode in episodes]
        self.ends = np.fromiter(accumulate(length for _, length in self._episodes), dtype=np.int64)

    def column(self, field: str) -> Column:
        return Column(sum(length for _, length in self._episodes), self._blocks(field))

    def _blocks(self, field: str) -> Iterator[Array]:
        parquet = import_extra("pyarrow.parquet", "parquet", f"reading {self.where}")
        for episode, length in self._episodes:
            chunk = episode // int(self._info["chunks_size"])
            file = self._path / self._info["data_path"].format(episode_chunk=chunk, episode_index=episode)
            if not file.is_file():
                raise DataError(f"{file} is missing: meta/episodes.jsonl lists episode {episode}")
            block = _array(parquet.read_table(file, columns=[field]).column(0), self._info["features"][field]["shape"])
            if len(block) != length:
                raise DataError(f"{file} has {len(block)} rows; meta/episodes.jsonl says {length}")
            yield block


def _array(column: Any, shape: list[int]) -> Array:
    """Return a Parquet column as `(n, *shape)`, or as `(n,)` where it holds single numbers."""
    values = column.combine_chunks()
    depth = 0
    while hasattr(values.type, "value_type"):
        values, depth = values.flatten(), depth + 1
    array: Array = values.to_numpy(zero_copy_only=False)
    return array.reshape(len(column), *shape) if depth else array
