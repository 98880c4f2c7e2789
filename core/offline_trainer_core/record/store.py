"""The checkpoints of a run: saved so that a kill or a full disk at any instant leaves the previous one intact."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from offline_trainer_core.distributed import Collectives, OneProcess
from offline_trainer_core.errors import CheckpointError, UsageError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.atomic import explain, move, replace_file, synchronise, temporary_name, write_file
from offline_trainer_core.record.checkpoint import Checkpoint, load_checkpoint
from offline_trainer_core.record.manifest import MANIFEST, FileEntry, Manifest
from offline_trainer_core.record.sections import Sections

__all__ = ["CheckpointStore"]

_LOG = logging.getLogger(__name__)
_POINTERS = ("last", "best")
_Result = TypeVar("_Result")


class CheckpointStore:
    """The folder of a run's checkpoints.

    Each checkpoint is a folder; `last` and `best` are text files that hold a name. What begins with a dot is
    unfinished, replaced or being deleted, and is cleaned at the next save.

    On several processes everyone holds a store with the same folder, which they share, and calls `save` and `wait`;
    what changes the folder otherwise is done by process 0 and costs the others nothing.
    """

    def __init__(self, folder: Path, collectives: Collectives | None = None) -> None:
        self.dir = folder
        self._collectives = collectives or OneProcess()
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
        r. An asynchronous save returns as soon as the tensors are copied to host memory; its errors are raised by the
        next `save` or `wait`. A checkpoint of the same name is replaced. Raises `CheckpointError`, on every process
        alike.
        """
        self.wait()
        _check_name(name)
        sections = Sections.encode(state, self._collectives.rank, copy=asynchronous)
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
        if asynchronous:
            self._apart = self._apart or self._collectives.apart()
            writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
            self._pending = writer.submit(self._write, draft, sections, self._apart)
            writer.shutdown(wait=False)
        else:
            self._write(draft, sections, self._collectives)
        return self.dir / name

    def wait(self) -> None:
        """Wait for an asynchronous save, and raise its error if it failed. Call it before the run ends."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def load(self, name_or_path: str | os.PathLike[str], map_location: Any = "cpu") -> Checkpoint:
        """Read a checkpoint of this store by its name, `last` or `best`, or any checkpoint by its path.

        Raises `CheckpointError` that names the damaged file; see `load_checkpoint`.
        """
        name = os.fspath(name_or_path)
        if name in _POINTERS:
            name = self._pointed(name) or name
        place = Path(name)
        if flaw_of_name(name) is None and (self._locate(name) or not place.exists()):
            place = self._require(name)
        return load_checkpoint(place, map_location)

    def names(self) -> list[str]:
        """Return the names of all published checkpoints, oldest first; damaged ones that cannot say come before."""
        return [name for _, name in self._numbered()]

    def latest(self) -> str | None:
        """Return the name of the newest good checkpoint, or None; each damaged one is skipped with a warning."""
        return next((name for name in reversed(self.names()) if self._is_good(name)), None)

    def best(self) -> str | None:
        """Return the name of the checkpoint that was marked as the best, or None."""
        return self._pointed("best")

    def mark_best(self, name: str) -> None:
        """Let `best` be the checkpoint `name`; waits for it where it is being saved."""
        self.wait()
        if self._collectives.rank == 0:
            self._point("best", name)

    def delete(self, name: str) -> None:
        """Delete the checkpoint `name`; a kill in between leaves nothing of it under its name."""
        if self._collectives.rank == 0:
            self._require(name)
            doomed = self.dir / f".{name}.deleted"
            while folder := self._locate(name):
                shutil.rmtree(doomed, ignore_errors=True)
                move(folder, doomed)
            shutil.rmtree(doomed)

    def prune(self, keep_last: int) -> None:
        """Delete all but the newest `keep_last` complete checkpoints and the best.

        If none of those is good, the newest good one is kept too. Damaged ones are not counted and not deleted.
        """
        if keep_last < 1:
            raise UsageError(f"keep_last is {keep_last}: a run keeps at least one checkpoint")
        if self._collectives.rank != 0:
            return
        newest_first = [name for name in reversed(self.names()) if self._is_complete(name)]
        kept, older = newest_first[:keep_last], newest_first[keep_last:]
        if older and not any(map(self._is_good, kept)):
            kept += [name for name in older if self._is_good(name)][:1]
        for name in older:
            if name not in kept and name != self.best():
                self.delete(name)

    def _write(self, draft: Manifest, sections: Sections, collectives: Collectives) -> None:
        """Write, agree, publish: nothing is published before every process has written."""
        temporary = temporary_name(self.dir / draft.name)
        main = collectives.rank == 0
        together = partial(_together, collectives, draft.name, self.dir)
        try:
            together(lambda: self._prepare(temporary) if main else None)
            written = together(lambda: sections.write(temporary))
            together(lambda: self._publish(temporary, draft, written) if main else None)
        except CheckpointError:
            if main:
                shutil.rmtree(temporary, ignore_errors=True)
            raise

    def _prepare(self, temporary: Path) -> None:
        self.dir.mkdir(parents=True, exist_ok=True)
        synchronise(self.dir.parent)
        self._clean()
        temporary.mkdir()

    def _clean(self) -> None:
        """Remove what a killed save, replacement or deletion left, and put back what a replacement had moved aside."""
        for path in self._folders(".*.replaced"):
            original = self.dir / path.name[1:].removesuffix(".replaced")
            if not original.exists():
                move(path, original)
        for pattern in (".*.replaced", ".*.saving", ".*.deleted"):
            for path in self._folders(pattern):
                shutil.rmtree(path)

    def _publish(self, temporary: Path, draft: Manifest, written: list[dict[str, FileEntry]]) -> None:
        files = {name: entry for entries in written for name, entry in entries.items()}
        sequence = 1 + max((number for number, _ in self._numbered()), default=0)
        write_file(temporary / MANIFEST, replace(draft, files=files, sequence=sequence).to_bytes())
        synchronise(temporary)
        target, replaced = self.dir / draft.name, self.dir / f".{draft.name}.replaced"
        if target.exists():
            move(target, replaced)
        move(temporary, target)
        self._point("last", draft.name)
        shutil.rmtree(replaced, ignore_errors=True)

    def _point(self, pointer: str, name: str) -> None:
        self._require(name)
        replace_file(self.dir / pointer, f"{name}\n".encode())

    def _pointed(self, pointer: str) -> str | None:
        try:
            name = (self.dir / pointer).read_text().strip()
        except FileNotFoundError:
            return None
        return name if flaw_of_name(name) is None and self._locate(name) else None

    def _locate(self, name: str) -> Path | None:
        """Return the folder of a published checkpoint, which a killed replacement may have left moved aside."""
        places = (self.dir / name, self.dir / f".{name}.replaced")
        return next((place for place in places if place.is_dir()), None)

    def _require(self, name: str) -> Path:
        folder = self._locate(name)
        if folder is None:
            has = ", ".join(self.names()) or "none"
            raise CheckpointError(f"there is no checkpoint '{name}' in {self.dir}: it has {has}")
        return folder

    def _folders(self, pattern: str = "*") -> list[Path]:
        return [path for path in self.dir.glob(pattern) if path.is_dir()]

    def _numbered(self) -> list[tuple[int, str]]:
        """Return all published checkpoints with their places in the sequence, oldest first; 0 for unreadable ones."""
        names = {path.name for path in self._folders() if not path.name.startswith(".")}
        names |= {path.name[1:].removesuffix(".replaced") for path in self._folders(".*.replaced")}
        return sorted((self._sequence(name), name) for name in names)

    def _sequence(self, name: str) -> int:
        try:
            return Manifest.read(self._require(name)).sequence
        except CheckpointError:
            return 0

    def _is_complete(self, name: str) -> bool:
        return self._passes(name, Manifest.check_sizes)

    def _is_good(self, name: str) -> bool:
        return self._passes(name, Manifest.verify)

    def _passes(self, name: str, check: Callable[[Manifest, Path], None]) -> bool:
        try:
            folder = self._require(name)
            check(Manifest.read(folder), folder)
        except CheckpointError as error:
            _LOG.warning("skipping checkpoint '%s': %s", name, error)
            return False
        return True


def _together(collectives: Collectives, name: str, folder: Path, work: Callable[[], _Result]) -> list[_Result]:
    """Do `work` on every process and return all results on process 0; where one fails, all raise its error."""
    result, failure, cause = None, None, None
    try:
        result = work()
    except OSError as error:
        failure, cause = explain(error, folder), error
    reports = collectives.gather_object((result, failure))
    failures = [text for _, text in reports or () if text]
    failure = collectives.broadcast_object(failures[0] if failures else None)
    if failure:
        raise CheckpointError(
            f"cannot save checkpoint '{name}' in {folder}: {failure}. What was saved before is intact"
        ) from cause
    return [value for value, _ in reports or ()]


def _check_name(name: str) -> None:
    flaw = "the store keeps this name for itself" if name in _POINTERS else flaw_of_name(name)
    if flaw:
        raise CheckpointError(f"a checkpoint cannot be named '{name}': {flaw}")
