"""What a checkpoint says about itself: its files with sizes and digests, and the run that wrote it."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import xxhash

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.files import FileEntry, FileReader

__all__ = ["LONGEST_JSON", "MANIFEST", "Manifest"]

MANIFEST = "manifest.json"
LONGEST_JSON = 1 << 28
"""Bytes of the longest JSON file that is written or read."""
_FORMAT = 1
_READABLE = (".json", ".safetensors")
"""Nothing else is ever opened: a checkpoint has no file that could hold code."""


@dataclass(frozen=True)
class Manifest:
    """The content of `manifest.json`; what is written and what is read are these fields."""

    name: str
    sequence: int
    """Counts the checkpoints of a run; the highest is the newest, whatever the clock and the names say."""
    created: str
    world_size: int
    counters: Mapping[str, Any]
    config_digest: str
    plan: Mapping[str, Any] | None
    config: Mapping[str, Any]
    """The resolved configuration, secrets masked: what a run that goes on from here is compared with."""
    environment: Mapping[str, Any]
    """What the bits of the state depend on beside the plan: device, threads, versions."""
    resumes: Sequence[Mapping[str, Any]]
    """Every resume on the way here: its step, and how exact it was."""
    files: Mapping[str, FileEntry]
    format: int = _FORMAT

    def to_bytes(self) -> bytes:
        """Return the file: JSON whose last field is the digest of all before it."""
        content = asdict(self)
        digest = xxhash.xxh3_128_hexdigest(json.dumps(content).encode())
        return json.dumps({**content, "digest": digest}, indent=1).encode()

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read and check `folder/manifest.json`.

        Raises `CheckpointError` where it is missing, damaged, of a newer format, or names files that it must not.
        """
        data = _read_manifest(folder)
        try:
            content = json.loads(data)
            _refuse_newer(folder, content)
            files = {name: FileEntry(**entry) for name, entry in content["files"].items()}
            manifest = cls(**{field.name: content[field.name] for field in fields(cls)} | {"files": files})
            intact = manifest.to_bytes() == data
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise CheckpointError(f"checkpoint {folder} is damaged: {MANIFEST} cannot be read") from error
        if not intact:
            raise CheckpointError(f"checkpoint {folder} is damaged: {MANIFEST} is not what was written")
        for name in manifest.files:
            if flaw_of_name(name) or not name.endswith(_READABLE):
                raise CheckpointError(f"checkpoint {folder} is refused: '{name}' cannot be one of its files")
        return manifest

    def check_sizes(self, folder: Path) -> None:
        """Raise `CheckpointError` unless every file is there, in its size and not a link."""
        for name, entry in self.files.items():
            try:
                status = (folder / name).lstat()
            except OSError as error:
                raise CheckpointError(f"checkpoint {folder} is damaged: {name} is missing") from error
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(f"checkpoint {folder} is refused: {name} is not a regular file")
            if status.st_size != entry.size:
                raise CheckpointError(
                    f"checkpoint {folder} is damaged: {name} has {status.st_size} bytes, {entry.size} were written"
                )

    def reader(self, folder: Path, name: str) -> FileReader:
        """Return what reads the file `name` and compares it with what was written."""
        return FileReader(folder / name, f"checkpoint {folder} is damaged: {name}", self.files[name])

    def read_json(self, folder: Path, name: str) -> Any:
        """Return the content of the JSON file `name`. Raises `CheckpointError` where it is damaged."""
        with self.reader(folder, name) as reader:
            data = _read_whole(reader, folder, name)
        try:
            return json.loads(data)
        except (RecursionError, ValueError) as error:
            raise CheckpointError(f"checkpoint {folder} is damaged: {name} cannot be read as JSON") from error

    def verify(self, folder: Path) -> None:
        """Raise `CheckpointError` unless everything is as it was written."""
        self.check_sizes(folder)
        for name in self.files:
            with self.reader(folder, name) as reader:
                reader.read_on()


def _read_manifest(folder: Path) -> bytes:
    if not (folder / MANIFEST).is_symlink() and not (folder / MANIFEST).exists():
        raise CheckpointError(f"{folder} is not a complete checkpoint: it has no {MANIFEST}")
    with FileReader(folder / MANIFEST, f"checkpoint {folder} is damaged: {MANIFEST}") as reader:
        return _read_whole(reader, folder, MANIFEST)


def _read_whole(reader: FileReader, folder: Path, name: str) -> bytes:
    if reader.size > LONGEST_JSON:
        raise CheckpointError(f"checkpoint {folder} is refused: {name} has {reader.size} bytes")
    return bytes(reader.read(reader.size))


def _refuse_newer(folder: Path, content: Mapping[str, Any]) -> None:
    if content["format"] > _FORMAT:
        raise CheckpointError(
            f"checkpoint {folder} has the format {content['format']}, and this version reads up to {_FORMAT}: "
            "pip install --upgrade offline-trainer-core"
        )
