"""Writes that are there entirely or not at all, after a kill and after a power cut alike.

A rename is atomic, but only a synchronised file has its content after a power cut, and only a synchronised folder has
the rename. So: write under another name, fsync the file, rename, fsync the folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import xxhash

__all__ = ["digest_file", "explain", "move", "replace_file", "synchronise", "temporary_name", "write_file"]

_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}


def synchronise(path: Path) -> None:
    """Wait until the file or folder at `path` lies on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path` and wait until it lies on the disk; for files in a folder that is not published yet."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Give `path` the content `data` at once: readers see the old content or the new one."""
    temporary = temporary_name(path)
    try:
        write_file(temporary, data)
        move(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def move(source: Path, target: Path) -> None:
    """Rename `source`, which lies in the same folder as `target`, and wait until the rename lies on the disk."""
    source.replace(target)
    synchronise(target.parent)


def temporary_name(path: Path) -> Path:
    """Return where `path` is written before it is complete."""
    return path.with_name(f".{path.name}.saving")


def digest_file(path: Path) -> str:
    """Return the XXH3 (128 bit) digest of a file's content, in hexadecimal."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def explain(error: OSError, folder: Path) -> str:
    """Return why a write into `folder` failed, in words; a full disk with the space that is left."""
    if error.errno not in _FULL:
        return str(error)
    try:
        free = f" ({shutil.disk_usage(folder).free / 2**20:.1f} MiB free)"
    except OSError:
        free = ""
    return f"the disk is full{free}"
