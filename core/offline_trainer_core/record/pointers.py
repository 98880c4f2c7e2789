"""The files `last` and `best`: the name of a checkpoint, and below it the digest of that name."""

from __future__ import annotations

from pathlib import Path

import xxhash

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record.atomic import replace_file
from offline_trainer_core.record.files import FileReader

__all__ = ["POINTERS", "read_pointer", "write_pointer"]

POINTERS = ("last", "best")
_LONGEST = 1024


def write_pointer(path: Path, name: str) -> None:
    """Let the pointer at `path` name the checkpoint `name`, at once."""
    replace_file(path, _content(path, name))


def read_pointer(path: Path) -> str | None:
    """Return the name that the pointer holds, or None where there is none.

    Raises `CheckpointError` where it is not what was written.
    """
    if not path.exists() and not path.is_symlink():
        return None
    with FileReader(path, f"{path}") as reader:
        data = bytes(reader.read(min(reader.size, _LONGEST)))
    name = data.partition(b"\n")[0].decode(errors="replace")
    if data != _content(path, name):
        raise CheckpointError(f"{path} is damaged: it does not hold the name that was written")
    return name


def _content(path: Path, name: str) -> bytes:
    return f"{name}\n{xxhash.xxh3_64_hexdigest(f'{path.name} {name}'.encode())}\n".encode()
