"""A checkpoint on the disk, read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record.manifest import Manifest
from offline_trainer_core.record.sections import read_sections

__all__ = ["Checkpoint", "load_checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: what it says about itself, and its state by section."""

    path: Path
    manifest: Manifest
    state: Mapping[str, Any]


def load_checkpoint(
    path: Path, map_location: Any = "cpu", wanted: Callable[[str], bool] = lambda section: True
) -> Checkpoint:
    """Read the wanted sections of the checkpoint folder at `path`; nothing is handed out before it was compared with
    its digest.

    `map_location` moves every tensor, generator states and step counters included: to resume, leave it at "cpu", since
    `load_state_dict` puts each where it belongs. Raises `CheckpointError` that names the damaged file.
    """
    if not path.is_dir():
        raise CheckpointError(f"there is no checkpoint at {path}: a checkpoint is a folder with a manifest.json")
    manifest = Manifest.read(path)
    return Checkpoint(path, manifest, read_sections(path, manifest, map_location, wanted))
