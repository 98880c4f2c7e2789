"""Zarr replay buffers: `data/<field>` of all episodes end to end, `meta/episode_ends` where each one ends.

The layout of Diffusion Policy (Chi et al. 2023) and of the datasets published with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.storage import Column
from ot_builtins.extras import import_extra

__all__ = ["Zarr"]

_CODECS = {
    *("adler32", "astype", "bitround", "blosc", "bytes", "bz2", "categorize", "crc32", "crc32c", "delta"),
    *("fixedscaleoffset", "fletcher32", "gzip", "json2", "lz4", "lzma", "msgpack2", "packbits", "pcodec", "quantize"),
    *("sharding_indexed", "shuffle", "transpose", "vlen-array", "vlen-bytes", "vlen-utf8", "zfpy", "zlib", "zstd"),
}
"""Codecs that cannot run code. Of the others, one unpickles, and some import what other packages advertise."""
_DESCRIPTIONS = (".zarray", ".zmetadata", "zarr.json")


class Zarr:
    """A `.zarr` folder, of format 2 or 3."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        zarr = import_extra("zarr", "zarr", f"reading {path}")
        _refuse_codecs(path)
        root: Any = zarr.open_group(str(path), mode="r")
        if "data" not in root:
            raise DataError(f"{path} has no group 'data': a replay buffer keeps its fields in data/<field>")
        self._group = root["data"]
        self.fields = [name for name, _ in self._group.arrays()]
        self.ends = root["meta/episode_ends"][:] if "meta/episode_ends" in root else None

    def column(self, field: str) -> Column:
        array = self._group[field]
        rows, step = array.shape[0], array.chunks[0]
        return Column(rows, (array[row : row + step] for row in range(0, rows, step)))


def _refuse_codecs(path: Path) -> None:
    """Raise `DataError` where an array that is read names a codec that might run code; zarr would load it."""
    folders = [path, *(path / group for group in ("data", "meta")), *path.glob("data/*"), *path.glob("meta/*")]
    for file in (folder / name for folder in folders for name in _DESCRIPTIONS):
        if file.is_file():
            for codec in _codecs(json.loads(file.read_text(encoding="utf-8"))):
                if str(codec).removeprefix("numcodecs.") not in _CODECS:
                    raise DataError(f"{file} names the codec '{codec}', and only codecs that cannot run code are read")


def _codecs(description: Any) -> Iterator[Any]:
    """Yield the name of every codec in a description of arrays, however deep it stands."""
    if isinstance(description, list):
        yield from chain.from_iterable(map(_codecs, description))
    elif isinstance(description, dict):
        for key, value in description.items():
            if key in ("compressor", "compressors", "filters", "codecs", "index_codecs"):
                named = value if isinstance(value, list) else [value]
                yield from (_name(codec) for codec in named if codec is not None)
            yield from _codecs(value)


def _name(codec: Any) -> Any:
    return codec.get("id", codec.get("name")) if isinstance(codec, dict) else codec
