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
from offline_trainer_core.record.atomic import digest_file

__all__ = ["MANIFEST", "FileEntry", "Manifest"]

MANIFEST = "manifest.json"
_FORMAT = 1
_READABLE = (".json", ".safetensors")
"""Nothing else is ever opened: a checkpoint has no file that could hold code."""


@dataclass(frozen=True)
class FileEntry:
    """How long a file is, and the XXH3 (128 bit) digest of its content."""

    size: int
    xxh3_128: str

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        return cls(path.stat().st_size, digest_file(path))


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

    def check_digests(self, folder: Path, names: list[str]) -> None:
        """Raise `CheckpointError` unless the named files have the content that was written."""
        for name in names:
            try:
                digest = digest_file(folder / name)
            except OSError as error:
                raise CheckpointError(f"checkpoint {folder} is damaged: {name} cannot be read ({error})") from error
            if digest != self.files[name].xxh3_128:
                raise CheckpointError(f"checkpoint {folder} is damaged: the content of {name} is not what was written")

    def verify(self, folder: Path) -> None:
        """Raise `CheckpointError` unless everything is as it was written."""
        self.check_sizes(folder)
        self.check_digests(folder, list(self.files))


def _read_manifest(folder: Path) -> bytes:
    path = folder / MANIFEST
    if path.is_symlink():
        raise CheckpointError(f"checkpoint {folder} is refused: {MANIFEST} is a link")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} is not a complete checkpoint: it has no {MANIFEST}") from error
    except OSError as error:
        raise CheckpointError(f"checkpoint {folder} cannot be read: {error}") from error


def _refuse_newer(folder: Path, content: Mapping[str, Any]) -> None:
    if content["format"] > _FORMAT:
        raise CheckpointError(
            f"checkpoint {folder} has the format {content['format']}, and this version reads up to {_FORMAT}: "
            "pip install --upgrade offline-trainer-core"
        )
