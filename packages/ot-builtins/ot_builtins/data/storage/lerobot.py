"""LeRobot recordings, format 2.x: one Parquet file per episode; videos are read by `data.lerobot`."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.recording import Episode, Recording
from ot_builtins.data.storage.storage import Array, Column, reading
from ot_builtins.extras import import_extra

__all__ = ["LeRobot"]


class LeRobot:
    """A LeRobot folder. Fields are its features that lie in the Parquet files as numbers."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self.recording = Recording(path)
        self.fields = self.recording.numbers
        self.ends = self.recording.ends

    def column(self, field: str) -> Column:
        return Column(int(self.ends[-1]) if len(self.ends) else 0, self._blocks(field))

    def _blocks(self, field: str) -> Iterator[Array]:
        parquet = import_extra("pyarrow.parquet", "parquet", f"reading {self.where}")
        for episode in self.recording.episodes:
            file = self.recording.parquet(episode)
            with reading(str(file)):
                yield self._block(parquet.ParquetFile(file), file, field, episode)

    def _block(self, table: Any, file: Path, field: str, episode: Episode) -> Array:
        """Return a column of an episode's file as `(n, *shape)`, or as `(n,)` where it holds single numbers."""
        names = table.schema_arrow.names
        if field not in names:
            raise DataError(
                f"{file} has no column '{field}', which meta/info.json declares; it has: {', '.join(names)}"
            )
        column = table.read(columns=[field]).column(0)
        if len(column) != episode.length:
            raise DataError(f"{file} has {len(column)} rows; meta/episodes.jsonl says {episode.length}")
        values, depth = column.combine_chunks(), 0
        while hasattr(values.type, "value_type"):
            values, depth = values.flatten(), depth + 1
        array: Array = values.to_numpy(zero_copy_only=False)
        shape = tuple(self.recording.features[field]["shape"]) if depth else ()
        if values.null_count or array.size != episode.length * prod(shape):
            raise DataError(
                f"{file}: '{field}' has {values.null_count} empty and {array.size} numbers in {len(column)} rows; "
                f"meta/info.json says that each row has the shape {list(shape)}"
            )
        return array.reshape(len(column), *shape)
