"""Files whose content is known: digested in the pass that writes them, compared in the pass that reads them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import xxhash

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record.atomic import write_all

__all__ = ["FileEntry", "FileReader", "write_file"]

_CHUNK = 1 << 20
"""Bytes that are digested and then written, or read and then digested, while the processor's cache has them."""

_FOR_READING = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""No link is followed, and a pipe that took the place of a file is not waited for."""


@dataclass(frozen=True)
class FileEntry:
    """How long a file is, and the XXH3 (128 bit) digest of its content."""

    size: int
    xxh3_128: str


def write_file(path: Path, pieces: Iterable[bytes | memoryview]) -> FileEntry:
    """Write `pieces`, one after the other, and wait until they lie on the disk; for a folder not published yet.

    The digest is taken from the very bytes that are written.
    """
    digest, size = xxhash.xxh3_128(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        for piece in pieces:
            for start in range(0, len(piece), _CHUNK):
                chunk = piece[start : start + _CHUNK]
                digest.update(chunk)
                write_all(descriptor, chunk)
            size += len(piece)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return FileEntry(size, digest.hexdigest())


class FileReader:
    """Reads a regular file once, from its beginning to its end, and compares it with its entry when it is left.

    Without an entry it is read as it is. Raises `CheckpointError` that begins with `subject`, the file's name.
    """

    def __init__(self, path: Path, subject: str, entry: FileEntry | None = None) -> None:
        self._path = path
        self._subject = subject
        self._entry = entry
        self._digest = xxhash.xxh3_128()

    def __enter__(self) -> FileReader:
        try:
            self._refuse_unless_regular(os.lstat(self._path))  # before: to open a device may do something
            self._descriptor = os.open(self._path, _FOR_READING)
        except FileNotFoundError as error:
            raise CheckpointError(f"{self._subject} is missing") from error
        except OSError as error:
            raise self._unreadable(error) from error
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        """Bytes of the file."""
        try:
            self._refuse_unless_regular(status)
            self._refuse_other_size()
        except CheckpointError:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        if error is None and self._entry is not None and self._digest.hexdigest() != self._entry.xxh3_128:
            raise CheckpointError(f"{self._subject} has not the content that was written")

    def read(self, size: int) -> bytearray:
        """Return the next `size` bytes."""
        data = bytearray(size)
        self.read_into(memoryview(data))
        return data

    def read_into(self, buffer: memoryview) -> None:
        """Fill `buffer` with the next bytes."""
        for start in range(0, len(buffer), _CHUNK):
            chunk = buffer[start : start + _CHUNK]
            self._fill(chunk)
            self._digest.update(chunk)

    def read_on(self) -> None:
        """Read the whole file for its digest alone."""
        buffer = memoryview(bytearray(min(_CHUNK, self.size)))
        for start in range(0, self.size, _CHUNK):
            self.read_into(buffer[: self.size - start])

    def _fill(self, chunk: memoryview) -> None:
        while chunk:
            try:
                count = os.readv(self._descriptor, [chunk])
            except OSError as error:
                raise self._unreadable(error) from error
            if count == 0:
                raise CheckpointError(f"{self._subject} ends too early")
            chunk = chunk[count:]

    def _refuse_unless_regular(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{self._subject} is not a regular file")

    def _refuse_other_size(self) -> None:
        if self._entry is not None and self.size != self._entry.size:
            raise CheckpointError(f"{self._subject} has {self.size} bytes, {self._entry.size} were written")

    def _unreadable(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self._subject} cannot be read ({error.strerror or error})")
