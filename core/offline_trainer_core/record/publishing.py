"""How all processes of a run write one checkpoint, or none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from offline_trainer_core.distributed import Collectives
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record.atomic import explain, temporary_name
from offline_trainer_core.record.files import FileEntry
from offline_trainer_core.record.manifest import Manifest
from offline_trainer_core.record.published import Published

__all__ = ["Write", "publish_together"]

Write = Callable[[Path], Mapping[str, FileEntry]]
"""Writes what one process has of a checkpoint into a folder, and returns what the manifest says of its files."""

_Result = TypeVar("_Result")


def publish_together(published: Published, draft: Manifest, write: Write, collectives: Collectives) -> None:
    """Write, agree, publish: nothing is published before every process has written.

    Raises `CheckpointError` on every process where one of them fails; what it had written is removed.
    """
    temporary = temporary_name(published.dir / draft.name)
    main = collectives.rank == 0
    together = partial(_together, collectives, draft.name, published.dir)
    try:
        together(lambda: published.prepare(temporary) if main else None)
        written = together(lambda: write(temporary))
        together(lambda: _publish(published, temporary, draft, written) if main else None)
    except CheckpointError:
        if main:
            shutil.rmtree(temporary, ignore_errors=True)
        raise


def _publish(published: Published, temporary: Path, draft: Manifest, written: list[Mapping[str, FileEntry]]) -> None:
    files = {name: entry for entries in written for name, entry in entries.items()}
    published.publish(temporary, replace(draft, files=files, sequence=published.next_sequence()))


def _together(collectives: Collectives, name: str, folder: Path, work: Callable[[], _Result]) -> list[_Result]:
    """Do `work` on every process and return all results on process 0; where one fails, all raise its error."""
    result, failure, cause = None, None, None
    try:
        result = work()
    except Exception as error:  # whatever it is: the others wait for this process to say how it went
        failure, cause = _reason(error, folder), error
    reports = collectives.gather_object((result, failure))
    failures = [text for _, text in reports or () if text]
    failure = collectives.broadcast_object(failures[0] if failures else None)
    if failure:
        raise CheckpointError(f"cannot save checkpoint '{name}' in {folder}: {failure}") from cause
    return [value for value, _ in reports or ()]


def _reason(error: Exception, folder: Path) -> str:
    if isinstance(error, CheckpointError):
        return str(error)
    reason = explain(error, folder) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    return f"{reason}. What was saved before is intact: mend this, then go on from there with --resume"
