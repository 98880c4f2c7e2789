"""Opens a file or folder with the reader of its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.hdf5 import Hdf5
from ot_builtins.data.storage.lerobot import LeRobot
from ot_builtins.data.storage.memory import Memory
from ot_builtins.data.storage.npz import Npz
from ot_builtins.data.storage.safetensors import SafeTensors
from ot_builtins.data.storage.storage import Storage, reading
from ot_builtins.data.storage.zarr import Zarr

__all__ = ["open_storage"]

_READERS: Mapping[str, Callable[[Path], Storage]] = {
    ".npz": Npz,
    ".safetensors": SafeTensors,
    ".zarr": Zarr,
    ".hdf5": Hdf5,
    ".h5": Hdf5,
}


def open_storage(source: str | Path | Mapping[str, Any]) -> Storage:
    """Open a path (relative to the working directory; `~` is the home folder), or a mapping from names to arrays.

    Raises `DataError` where the path is missing, its format is not known, or the file cannot be read.
    """
    if isinstance(source, Mapping):
        return Memory(source)
    path = Path(source).expanduser()
    if not path.exists():
        raise DataError(f"{path} does not exist (looked for at {path.absolute()})")
    is_lerobot = (path / "meta" / "info.json").is_file()
    reader: Callable[[Path], Storage] | None = LeRobot if is_lerobot else _READERS.get(path.suffix)
    if reader is None:
        raise DataError(
            f"{path}: unknown format; allowed: {', '.join(_READERS)}, or a LeRobot folder with meta/info.json"
        )
    with reading(str(path)):
        return reader(path)
