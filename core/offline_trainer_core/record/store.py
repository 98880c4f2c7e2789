"""The checkpoints of a run: saved so that a kill or a full disk at any instant leaves the previous one intact."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from offline_trainer_core.distributed import Collectives, OneProcess
from offline_trainer_core.errors import CheckpointError, UsageError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.atomic import explain
from offline_trainer_core.record.checkpoint import Checkpoint, load_checkpoint
from offline_trainer_core.record.manifest import Manifest
from offline_trainer_core.record.pointers import POINTERS, read_pointer, write_pointer
from offline_trainer_core.record.published import Published
from offline_trainer_core.record.publishing import Write, publish_together
from offline_trainer_core.record.sections import Sections
from offline_trainer_core.record.staging import Staging

__all__ = ["CheckpointStore"]

_LOG = logging.getLogger(__name__)


class CheckpointStore:
    """The folder of a run's checkpoints.

    Each checkpoint is a folder; `last` and `best` are text files whose first line is a name. What begins with a dot is
    unfinished, replaced or being deleted, and is cleaned at the next save.

    On several processes everyone holds a store with the same folder, which they share, and calls `save` and `wait`;
    what changes the folder otherwise is done by process 0 and costs the others nothing.
    """

    def __init__(self, folder: Path, collectives: Collectives | None = None) -> None:
        self.dir = folder
        self._published = Published(folder)
        self._collectives = collectives or OneProcess()
        self._staging = Staging()
        self._pending: Future[None] | None = None
        self._apart: Collectives | None = None
        """What the thread of asynchronous saves says to the other processes; made for the first of them."""

    def save(
        self,
        name: str,
        state: Mapping[str, Any],
        *,
        counters: Mapping[str, Any],
        plan: Mapping[str, Any] | None = None,
        config_digest: str = "",
        config: Mapping[str, Any] | None = None,
        environment: Mapping[str, Any] | None = None,
        resumes: Sequence[Mapping[str, Any]] = (),
        asynchronous: bool = False,
    ) -> Path:
        """Save `state`, a mapping from section to nest, as checkpoint `name`, and return its folder.

        Process 0 writes the sections that all share; a section whose name begins with `rank<r>.` is written by process
        r. An asynchronous save returns as soon as the tensors are copied to host memory, which the next one uses again;
        its errors are raised by the next `save` or `wait`. A checkpoint of the same name is replaced. Raises
        `CheckpointError`, on every process alike.
        """
        self.wait()
        _check_name(name)
        draft = Manifest(
            name=name,
            sequence=0,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            world_size=self._collectives.world_size,
            counters=dict(counters),
            config_digest=config_digest,
            plan=None if plan is None else dict(plan),
            config=dict(config or {}),
            environment=dict(environment or {}),
            resumes=list(resumes),
            files={},
        )
        write = self._encoded(state, self._staging if asynchronous else None)
        if asynchronous:
            self._apart = self._apart or self._collectives.apart()
            writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
            self._pending = writer.submit(publish_together, self._published, draft, write, self._apart)
            writer.shutdown(wait=False)
        else:
            publish_together(self._published, draft, write, self._collectives)
        return self.dir / name

    def wait(self) -> None:
        """Wait for an asynchronous save, and raise its error if it failed. Call it before the run ends."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def load(
        self,
        name_or_path: str | os.PathLike[str],
        map_location: Any = "cpu",
        wanted: Callable[[str], bool] = lambda section: True,
    ) -> Checkpoint:
        """Read a checkpoint of this store by its name, `last` or `best`, or any checkpoint by its path.

        Raises `CheckpointError` that names the damaged file; see `load_checkpoint`.
        """
        name = os.fspath(name_or_path)
        if name in POINTERS:
            name = self._named_by(name)
        if flaw_of_name(name) is None and (self._published.locate(name) or not Path(name).exists()):
            return self._load(name, map_location, wanted)
        return load_checkpoint(Path(name), map_location, wanted)

    def manifest(self, name: str) -> Manifest:
        """Return what the checkpoint `name` says about itself. Raises `CheckpointError`."""
        return self._published.manifest(name)

    def names(self) -> list[str]:
        """Return the names of all published checkpoints, oldest first; damaged ones that cannot say come before."""
        return [name for _, name in self._published.numbered()]

    def latest(self) -> str | None:
        """Return the name of the newest good checkpoint, or None; each damaged one is skipped with a warning."""
        return next((name for name in self._published.newest_first() if self._passes(name, Manifest.verify)), None)

    def last(self) -> str | None:
        """Return the name of the checkpoint that was saved last, or None."""
        return self._pointed("last")

    def best(self) -> str | None:
        """Return the name of the checkpoint that was marked as the best, or None."""
        return self._pointed("best")

    def go_on_from(self, name: str) -> None:
        """Let `last` name the newest checkpoint, if that is `name`: a kill may have come before it was written."""
        if self._collectives.rank == 0 and self.names()[-1] == name != self._published.pointed("last"):
            with self._told(f"cannot mark checkpoint '{name}' as the last"):
                write_pointer(self.dir / "last", name)

    def mark_best(self, name: str) -> None:
        """Let `best` be the checkpoint `name`; waits for it where it is being saved. Raises `CheckpointError`."""
        self.wait()
        if self._collectives.rank == 0:
            self._published.require(name)
            with self._told(f"cannot mark checkpoint '{name}' as the best"):
                write_pointer(self.dir / "best", name)

    def delete(self, name: str) -> None:
        """Delete the checkpoint `name`; a kill in between leaves nothing of it under its name."""
        if self._collectives.rank == 0:
            with self._told(f"cannot delete checkpoint '{name}'"):
                self._published.delete(name)

    def prune(self, keep_last: int) -> None:
        """Delete all but the newest `keep_last` complete checkpoints and the best.

        If none of those is good, the newest good one is kept too. Damaged ones are not counted and not deleted. What
        cannot be deleted is left with a warning: a run does not end for it.
        """
        if keep_last < 1:
            raise UsageError(f"keep_last is {keep_last}: a run keeps at least one checkpoint")
        if self._collectives.rank != 0:
            return
        try:
            best = read_pointer(self.dir / "best")
            for name in self._superfluous(keep_last):
                if name != best:
                    self.delete(name)
        except CheckpointError as error:
            _LOG.warning("old checkpoints are kept: %s", error)

    def _superfluous(self, keep_last: int) -> list[str]:
        complete = [name for name in reversed(self.names()) if self._passes(name, Manifest.check_sizes)]
        kept, older = complete[:keep_last], complete[keep_last:]
        if older and not any(self._passes(name, Manifest.verify) for name in kept):
            kept = [name for name in older if self._passes(name, Manifest.verify)][:1]
        return [name for name in older if name not in kept]

    def _encoded(self, state: Mapping[str, Any], staging: Staging | None) -> Write:
        """Return what writes `state`; a state that cannot be saved raises there: where all processes learn of it."""
        try:
            return Sections.encode(state, self._collectives.rank, staging).write
        except CheckpointError as error:
            return partial(_refuse, error)

    def _load(self, name: str, map_location: Any, wanted: Callable[[str], bool]) -> Checkpoint:
        self._published.manifest(name)
        return load_checkpoint(self._published.require(name), map_location, wanted)

    def _pointed(self, pointer: str) -> str | None:
        """Return the checkpoint that the pointer names, or None where it names none that is there."""
        name = self._published.pointed(pointer)
        return name if name is not None and self._published.locate(name) else None

    def _named_by(self, pointer: str) -> str:
        """Return the checkpoint that the pointer names; the newest good one for a `last` that is of no use."""
        name = self._pointed(pointer) or (self.latest() if pointer == "last" else None)
        return name or pointer

    def _passes(self, name: str, check: Callable[[Manifest, Path], None]) -> bool:
        """Whether the checkpoint is as `check` wants it; a warning says what is wrong with it."""
        try:
            check(self._published.manifest(name), self._published.require(name))
        except CheckpointError as error:
            _LOG.warning("skipping checkpoint '%s': %s", name, error)
            return False
        return True

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what the system refuses into an error that a person can act on."""
        try:
            yield
        except OSError as error:
            raise CheckpointError(f"{what} in {self.dir}: {explain(error, self.dir)}") from error


def _refuse(error: CheckpointError, folder: Path) -> NoReturn:
    raise error


def _check_name(name: str) -> None:
    flaw = "the store keeps this name for itself" if name in POINTERS else flaw_of_name(name)
    if flaw:
        raise CheckpointError(f"a checkpoint cannot be named '{name}': {flaw}")
