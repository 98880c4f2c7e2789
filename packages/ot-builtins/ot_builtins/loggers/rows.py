"""Files of rows that must survive a run that is killed while it writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from offline_trainer_core.errors import DeviceError

__all__ = ["read_complete_lines", "replace_text", "writing"]


def read_complete_lines(path: Path) -> list[str]:
    """Return the lines of `path` with their ends; a last line without one was torn by a kill and is left out."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [line for line in file if line.endswith("\n")]


def replace_text(path: Path, text: str) -> None:
    """Write `text` to `path` so that after a kill at any instant either the old or the new content is there."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of a write that fails in the block, on a full disk for example, which file it is about."""
    try:
        yield
    except OSError as error:
        raise DeviceError(f"cannot write {path}: {error.strerror or error}") from error
