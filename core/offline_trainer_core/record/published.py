"""The checkpoints in a folder, as renames publish, replace and remove them."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.atomic import make_folder, move, synchronise
from offline_trainer_core.record.files import write_file
from offline_trainer_core.record.manifest import MANIFEST, Manifest
from offline_trainer_core.record.pointers import POINTERS, read_pointer, write_pointer

__all__ = ["Published"]

_LOG = logging.getLogger(__name__)


class Published:
    """Every name that does not begin with a dot is a checkpoint, complete since the rename that gave it the name.

    What begins with a dot is unfinished (`.saving`), being replaced (`.replaced`) or being deleted (`.deleted`). A
    replacement that was killed between its two renames leaves the old checkpoint as `.replaced`: it counts as well.
    """

    def __init__(self, folder: Path) -> None:
        self.dir = folder

    def locate(self, name: str) -> Path | None:
        """Return the folder of the checkpoint `name`, which a killed replacement may have left moved aside."""
        if flaw_of_name(name) or name in POINTERS:
            return None
        places = (self.dir / name, self.dir / f".{name}.replaced")
        return next((place for place in places if _is_folder(place)), None)

    def require(self, name: str) -> Path:
        """Return the folder of the checkpoint `name`. Raises `CheckpointError` where there is none."""
        folder = self.locate(name)
        if folder is None:
            has = ", ".join(name for _, name in self.numbered()) or "none"
            raise CheckpointError(f"there is no checkpoint '{name}' in {self.dir}: it has {has}")
        return folder

    def manifest(self, name: str) -> Manifest:
        """Return what the checkpoint `name` says of itself. Raises `CheckpointError`, also where it was renamed."""
        folder = self.require(name)
        manifest = Manifest.read(folder)
        if manifest.name != name:
            raise CheckpointError(
                f"checkpoint {folder} is refused: its {MANIFEST} says that it is '{manifest.name}'. Give it that name "
                "again, or move it out of this folder and load it by its path"
            )
        return manifest

    def numbered(self) -> list[tuple[int, str]]:
        """Return all checkpoints with their places in the sequence, oldest first; 0 for those that cannot say."""
        names = {path.name for path in self._folders("*") if not path.name.startswith(".")} - set(POINTERS)
        names |= {path.name[1:].removesuffix(".replaced") for path in self._folders(".*.replaced")}
        return sorted((self._sequence(name), name) for name in names)

    def newest_first(self) -> list[str]:
        """Return all checkpoints from the newest on; before them those that cannot say how old they are."""
        numbered = self.numbered()
        pointed = self.pointed("last")
        if pointed is not None and pointed not in (name for _, name in numbered):
            _LOG.warning("checkpoint '%s', which was saved last, is not in %s", pointed, self.dir)
        return [name for _, name in sorted(numbered, key=lambda item: (item[0] == 0, item), reverse=True)]

    def pointed(self, pointer: str) -> str | None:
        """Return the name that the pointer holds, or None where it holds none or, with a warning, is damaged."""
        try:
            return read_pointer(self.dir / pointer)
        except CheckpointError as error:
            _LOG.warning("%s", error)
            return None

    def prepare(self, temporary: Path) -> None:
        """Make the folder into which a checkpoint is written; what killed writers left is removed before."""
        make_folder(self.dir)
        self._clean()
        temporary.mkdir()

    def publish(self, temporary: Path, manifest: Manifest) -> None:
        """Complete the checkpoint in `temporary`, give it its name, and let `last` name it."""
        write_file(temporary / MANIFEST, [manifest.to_bytes()])
        synchronise(temporary)
        target, replaced = self.dir / manifest.name, self.dir / f".{manifest.name}.replaced"
        if target.exists():
            move(target, replaced)
        move(temporary, target)
        write_pointer(self.dir / "last", manifest.name)
        shutil.rmtree(replaced, ignore_errors=True)

    def next_sequence(self) -> int:
        """Return the number of the next checkpoint."""
        return 1 + max((number for number, _ in self.numbered()), default=0)

    def delete(self, name: str) -> None:
        """Delete the checkpoint `name`; a kill in between leaves nothing of it under its name. Raises `OSError`."""
        self.require(name)
        doomed = self.dir / f".{name}.deleted"
        while folder := self.locate(name):
            shutil.rmtree(doomed, ignore_errors=True)
            move(folder, doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _clean(self) -> None:
        """Remove what a killed save, replacement or deletion left, and put back what a replacement had moved aside."""
        for path in self._folders(".*.replaced"):
            original = self.dir / path.name[1:].removesuffix(".replaced")
            if not original.exists():
                move(path, original)
        for pattern in (".*.replaced", ".*.saving", ".*.deleted"):
            for path in self._folders(pattern):
                shutil.rmtree(path, ignore_errors=True)

    def _folders(self, pattern: str) -> list[Path]:
        return [path for path in self.dir.glob(pattern) if _is_folder(path)]

    def _sequence(self, name: str) -> int:
        try:
            return self.manifest(name).sequence
        except CheckpointError:
            return 0


def _is_folder(path: Path) -> bool:
    """Whether `path` is a folder itself: what a link points to was not saved here."""
    return path.is_dir() and not os.path.islink(path)
