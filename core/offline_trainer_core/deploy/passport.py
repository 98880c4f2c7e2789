"""`policy.json`: what an exported policy says about itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.atomic import replace_file

if TYPE_CHECKING:
    from offline_trainer_core.networks import FieldInfo

__all__ = ["PASSPORT", "Passport", "entries_of"]

PASSPORT = "policy.json"
FORMAT = 1
_PIECE = 1 << 20


@dataclass(frozen=True)
class Passport:
    """The content of `policy.json`; what is written and what is read are these fields."""

    exporter: Mapping[str, str]
    """The key of the component that wrote the files, its distribution and version."""
    observation: Mapping[str, Mapping[str, Any]]
    """Field → `shape` without the batch dimension, and `dtype`."""
    action: Mapping[str, Any]
    """`field`, and `shape` without the batch dimension."""
    noise_shape: list[int] | None
    """The shape of the noise that one action is made from; None for a policy that takes none."""
    source: Mapping[str, Any]
    """`run`, `checkpoint` and `step` that the policy is of."""
    versions: Mapping[str, str]
    """Of Python, torch and the distributions that the policy is made of."""
    parity: Mapping[str, float]
    """Batch size → the largest difference to the policy that was exported, as a fresh process measured it; relative to
    the largest action where that exceeds 1."""
    files: Mapping[str, Mapping[str, Any]]
    """Name → `size` and `sha256`."""
    format_version: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write the file into `folder`."""
        replace_file(folder / PASSPORT, self._to_bytes())

    def _to_bytes(self) -> bytes:
        """Return the file: JSON whose last field is the digest of all before it."""
        content = asdict(self)
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        return json.dumps({**content, "digest": digest}, indent=1).encode()

    @classmethod
    def read(cls, folder: Path) -> Passport:
        """Read the file in `folder`, and compare every other file with what it says of it.

        Raises `CheckpointError` that names the file that is missing, changed or of a newer format.
        """
        try:
            data = (folder / PASSPORT).read_bytes()
            content = json.loads(data)
            _refuse_newer(content["format_version"], folder)
            passport = cls(**{field.name: content[field.name] for field in fields(cls)})
        except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
            raise CheckpointError(f"export {folder} is damaged: {PASSPORT} cannot be read") from error
        if passport._to_bytes() != data:
            raise CheckpointError(f"export {folder} is damaged: {PASSPORT} is not what was written")
        for name, entry in passport.files.items():
            _compare(folder, name, entry)
        return passport

    def fields(self) -> dict[str, FieldInfo]:
        """Return what the policy observes."""
        from offline_trainer_core.networks import FieldInfo

        return {name: FieldInfo(tuple(each["shape"]), each["dtype"]) for name, each in self.observation.items()}


def entries_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and digest of every file below `folder` but its `policy.json`, by its path in there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != PASSPORT)
    return {path.relative_to(folder).as_posix(): _entry(path) for path in files}


def _entry(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return {"size": path.stat().st_size, "sha256": digest.hexdigest()}


def _refuse_newer(version: Any, folder: Path) -> None:
    if version > FORMAT:
        raise CheckpointError(
            f"{folder} has the export format {version}, and this version reads up to {FORMAT}: "
            "pip install --upgrade offline-trainer-core"
        )


def _compare(folder: Path, name: str, entry: Mapping[str, Any]) -> None:
    if _leaves_folder(name.split("/")):
        raise CheckpointError(f"export {folder} is refused: '{name}' cannot be one of its files")
    path = folder / name
    if not path.is_file():
        raise CheckpointError(f"export {folder} is damaged: {name} is missing")
    if _entry(path) != dict(entry):
        raise CheckpointError(f"export {folder} is damaged: {name} has not the content that was written")


def _leaves_folder(parts: Iterable[str]) -> bool:
    return any(flaw_of_name(part) for part in parts)
