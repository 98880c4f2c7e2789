"""Writes that are there entirely or not at all, after a kill and after a power cut alike.

A rename is atomic, but only a synchronised file has its content after a power cut, and only a synchronised folder has
the rename. So: write under another name, fsync the file, rename, fsync the folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from offline_trainer_core.errors import DeviceError

__all__ = ["explain", "make_folder", "move", "replace_file", "synchronise", "temporary_name", "told", "write_all"]

_FULL = (errno.ENOSPC, errno.EDQUOT)


def synchronise(path: Path) -> None:
    """Wait until the file or folder at `path` lies on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write `data` whole: the system may take a part of it at a time."""
    while data:
        data = data[os.write(descriptor, data) :]


def replace_file(path: Path, data: bytes) -> None:
    """Give `path` the content `data` at once: readers see the old content or the new one."""
    temporary = temporary_name(path)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        move(temporary, path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def move(source: Path, target: Path) -> None:
    """Rename `source`, which lies in the same folder as `target`, and wait until the rename lies on the disk."""
    source.replace(target)
    synchronise(target.parent)


def temporary_name(path: Path) -> Path:
    """Return where `path` is written before it is complete."""
    return path.with_name(f".{path.name}.saving")


def make_folder(path: Path) -> None:
    """Create `path` and what is missing above it, and wait until all of them lie on the disk."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        synchronise(folder.parent)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the system refuses while `path` is written into an error that a person can act on."""
    try:
        yield
    except OSError as error:
        raise DeviceError(f"cannot write {path}: {explain(error, path.parent)}") from error


def explain(error: OSError, folder: Path) -> str:
    """Return why a write into `folder` failed, in words; a full disk with the space that is left."""
    if error.errno == errno.EFBIG:
        return "a file would be larger than the system allows this process (see `ulimit -f`)"
    if error.errno not in _FULL:
        return str(error)
    try:
        free = f" ({shutil.disk_usage(folder).free / 2**20:.1f} MiB free)"
    except OSError:
        free = ""
    return f"the disk is full{free}"
