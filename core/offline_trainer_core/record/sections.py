"""The sections of a checkpoint as files: structures in JSON, tensors in one safetensors file a section.

Process 0 writes the sections that all processes share, and every process those whose names begin with its own
`rank<r>.`.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.atomic import synchronise, write_file
from offline_trainer_core.record.codec import Decoder, Encoder
from offline_trainer_core.record.manifest import FileEntry, Manifest

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Sections", "read_sections"]

_OWN = re.compile(r"rank(\d+)\.")
_TENSORS = ".safetensors"
_MALFORMED = (AttributeError, LookupError, RecursionError, RuntimeError, TypeError, ValueError)
"""What decoding a structure raises that no encoder wrote."""


@dataclass(frozen=True)
class Sections:
    """What one process writes of a checkpoint, with its tensors in host memory."""

    rank: int
    structures: Mapping[str, Any]
    tensors: Mapping[str, Mapping[str, Tensor]]

    @classmethod
    def encode(cls, state: Mapping[str, Any], rank: int, *, copy: bool) -> Sections:
        """Encode what process `rank` writes of `state`; with `copy`, later changes to `state` do not reach it."""
        structures: dict[str, Any] = {}
        tensors: dict[str, dict[str, Tensor]] = {}
        for section, nest in state.items():
            if _writer(section, rank) == rank:
                encoder = Encoder(section, copy=copy)
                structures[section] = encoder.encode(nest)
                if encoder.tensors:
                    tensors[section] = encoder.tensors
        return cls(rank, structures, tensors)

    def write(self, folder: Path) -> dict[str, FileEntry]:
        """Write the files of this process into `folder` and return what the manifest says of them. Raises `OSError`."""
        structure = folder / _structure_file(self.rank)
        write_file(structure, json.dumps(self.structures, indent=1).encode())
        written = [structure]
        for section, tensors in self.tensors.items():
            written.append(folder / f"{section}{_TENSORS}")
            _write_tensors(written[-1], dict(tensors))
        return {path.name: FileEntry.of(path) for path in written}


def read_sections(
    folder: Path, manifest: Manifest, map_location: Any = "cpu", wanted: Callable[[str], bool] = lambda section: True
) -> dict[str, Any]:
    """Return the wanted sections of the checkpoint in `folder`; what is read is verified first.

    Raises `CheckpointError` that names the damaged file.
    """
    structures = [name for name in manifest.files if name.endswith(".json")]
    tensors = [name for name in manifest.files if name.endswith(_TENSORS) and wanted(name.removesuffix(_TENSORS))]
    manifest.check_sizes(folder)
    manifest.check_digests(folder, structures + tensors)
    state = {}
    for name in structures:
        try:
            for section, structure in json.loads((folder / name).read_bytes()).items():
                if wanted(section):
                    file = folder / f"{section}{_TENSORS}"
                    found = _read_tensors(file) if file.name in tensors else {}
                    state[section] = Decoder(found, map_location).decode(structure)
        except _MALFORMED as error:
            raise CheckpointError(f"checkpoint {folder} is damaged: {name} does not describe a state") from error
    return state


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


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, path)
    except SafetensorError as error:
        # The library says what the system said only in words.
        code = re.search(r"os error (\d+)", str(error))
        raise OSError(int(code[1]) if code else errno.EIO, str(error)) from error
    synchronise(path)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint {path.parent} is damaged: {path.name} cannot be read ({error})") from error
