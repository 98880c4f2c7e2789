"""The sections of a checkpoint as files: structures in JSON, tensors in one safetensors file a section.

Process 0 writes the sections that all processes share, and every process those whose names begin with its own
`rank<r>.`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.codec import Decoder, Encoder
from offline_trainer_core.record.files import FileEntry, write_file
from offline_trainer_core.record.manifest import LONGEST_JSON, Manifest
from offline_trainer_core.record.staging import Staging
from offline_trainer_core.record.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Sections", "read_sections"]

_OWN = re.compile(r"rank(\d+)\.")
_TENSORS = ".safetensors"
_THREADS = 4
"""Files that are written or read at once: while one waits for the disk, another is digested."""

_MALFORMED = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What decoding raises where no encoder wrote what is decoded."""


@dataclass(frozen=True)
class Sections:
    """What one process writes of a checkpoint, with its tensors in host memory."""

    rank: int
    structures: Mapping[str, Any]
    tensors: Mapping[str, Mapping[str, Tensor]]

    @classmethod
    def encode(cls, state: Mapping[str, Any], rank: int, staging: Staging | None = None) -> Sections:
        """Encode what process `rank` writes of `state`; with `staging`, later changes to `state` do not reach it."""
        structures: dict[str, Any] = {}
        tensors: dict[str, dict[str, Tensor]] = {}
        for section, nest in state.items():
            if _writer(section, rank) == rank:
                encoder = Encoder(section, staging)
                structures[section] = encoder.encode(nest)
                if encoder.tensors:
                    tensors[section] = encoder.tensors
        if staging is not None:
            staging.settle()
        return cls(rank, structures, tensors)

    def write(self, folder: Path) -> dict[str, FileEntry]:
        """Write the files of this process into `folder` and return what the manifest says of them. Raises `OSError`."""
        structures = json.dumps(self.structures, indent=1).encode()
        if len(structures) > LONGEST_JSON:
            raise CheckpointError(
                f"the state has {len(structures)} bytes beside its tensors, and may have {LONGEST_JSON}: keep long "
                "lists of numbers in tensors or arrays"
            )
        name = _structure_file(self.rank)
        entries = {name: write_file(folder / name, [structures])}
        files = {f"{section}{_TENSORS}": tensors for section, tensors in self.tensors.items()}
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="checkpoint-file") as pool:
            written = pool.map(lambda name: write_tensors(folder / name, files[name]), files)
            return {**entries, **dict(zip(files, written, strict=True))}


def read_sections(
    folder: Path, manifest: Manifest, map_location: Any = "cpu", wanted: Callable[[str], bool] = lambda section: True
) -> dict[str, Any]:
    """Return the wanted sections of the checkpoint in `folder`; every file is read once, and compared as it is read.

    Raises `CheckpointError` that names the damaged file.
    """
    manifest.check_sizes(folder)
    structures = [name for name in manifest.files if name.endswith(".json")]
    files = [name for name in manifest.files if name.endswith(_TENSORS) and wanted(name.removesuffix(_TENSORS))]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="checkpoint-file") as pool:
        tensors = dict(zip(files, pool.map(lambda name: _read_tensors(folder, manifest, name), files), strict=True))
    state = {}
    for name in structures:
        content = manifest.read_json(folder, name)
        try:
            for section, structure in content.items():
                if wanted(section):
                    state[section] = Decoder(tensors.get(f"{section}{_TENSORS}", {}), map_location).decode(structure)
        except _MALFORMED as error:
            raise CheckpointError(f"checkpoint {folder} is damaged: {name} does not describe a state") from error
    return state


def _read_tensors(folder: Path, manifest: Manifest, name: str) -> dict[str, Tensor]:
    try:
        with manifest.reader(folder, name) as reader:
            return read_tensors(reader)
    except _MALFORMED as error:
        raise CheckpointError(f"checkpoint {folder} is damaged: {name} does not hold tensors ({error})") from error


def _writer(section: str, rank: int) -> int:
    """Return the process that writes `section`; a process may hold sections of its own and shared ones."""
    flaw = flaw_of_name(section)
    if flaw:
        raise CheckpointError(f"cannot save a section named '{section}': {flaw}")
    own = _OWN.match(section)
    if own and int(own[1]) != rank:
        raise CheckpointError(f"cannot save section '{section}' on process {rank}: it belongs to process {own[1]}")
    return rank if own else 0


def _structure_file(rank: int) -> str:
    return "state.json" if rank == 0 else f"rank{rank}.state.json"
