"""Which checkpoint `resume` means: a name, `auto`, `last` or `best`, or the path of a checkpoint or of a run."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore, Manifest

__all__ = ["Origin", "choose"]

log = logging.getLogger(__name__)

POINTERS = ("last", "best")


class Origin(NamedTuple):
    """Where a run goes on from: a checkpoint by its name or path, or None where the run has saved none yet."""

    checkpoint: str | None
    is_own: bool
    """Whether the run itself goes on, and not a new one from a checkpoint of another."""

    def manifest(self, own: CheckpointStore) -> Manifest:
        """Return what the checkpoint says about itself."""
        assert self.checkpoint is not None
        return own.manifest(self.checkpoint) if self.is_own else Manifest.read(Path(self.checkpoint))


def choose(wanted: str, own: CheckpointStore) -> Origin:
    """Return the checkpoint that `wanted` means for the run whose checkpoints are `own`.

    Raises `CheckpointError` where there is none.
    """
    if wanted == "auto":
        return Origin(_newest(own), is_own=True)
    if wanted in POINTERS or wanted in own.names():
        return Origin(_pointed(own, wanted) if wanted in POINTERS else wanted, is_own=True)
    path = Path(wanted).expanduser()
    if path.name in POINTERS and path.is_file():
        return _in_store(CheckpointStore(path.parent), path.name, own)
    if (path / "checkpoints").is_dir():
        return _in_store(CheckpointStore(path / "checkpoints"), "auto", own)
    if path.is_dir():
        return _in_store(CheckpointStore(path.parent), path.name, own)
    known = ", ".join(own.names()) or "none"
    raise CheckpointError(f"there is no checkpoint '{wanted}': this run has {known}, and no folder is called so")


def _in_store(store: CheckpointStore, name: str, own: CheckpointStore) -> Origin:
    """Return a checkpoint of `store`, by its path unless that is the run's own."""
    if store.dir.resolve() == own.dir.resolve():
        return choose(name, own) if name in ("auto", *POINTERS, *own.names()) else Origin(name, is_own=True)
    found = _newest(store) if name == "auto" else _pointed(store, name) if name in POINTERS else name
    if found is None:
        raise CheckpointError(f"{store.dir} has no checkpoint to go on from")
    return Origin(str(store.dir / found), is_own=False)


def _newest(store: CheckpointStore) -> str | None:
    newest = store.latest()
    if newest is None and store.names():
        raise CheckpointError(
            f"every checkpoint in {store.dir} is damaged, so there is nothing to go on from; --overwrite moves the run "
            "aside and starts anew"
        )
    if newest is None:
        log.warning("%s has no checkpoint yet: the run starts from its beginning", store.dir.parent)
    return newest


def _pointed(store: CheckpointStore, pointer: str) -> str:
    found = store.best() if pointer == "best" else store.last()
    if found is None:
        known = ", ".join(store.names()) or "none"
        raise CheckpointError(f"{store.dir} has no checkpoint '{pointer}': it has {known}")
    return found
