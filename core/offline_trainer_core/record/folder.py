"""The record of a run: one folder that says what was run, where, and what came out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from offline_trainer_core.distributed import Collectives, OneProcess
from offline_trainer_core.errors import UsageError
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.record.atomic import make_folder, move, replace_file, told
from offline_trainer_core.record.exclusive import LOCK
from offline_trainer_core.record.status import RunStatus, State, begun, read_status, write_status
from offline_trainer_core.record.store import CheckpointStore

__all__ = ["MASKED", "RunFolder"]

MASKED = "masked.json"


@dataclass(frozen=True)
class RunFolder:
    """The folder `dir` of a run. Process 0 creates it and writes; the others open it by its path."""

    dir: Path
    collectives: Collectives = field(default_factory=OneProcess)

    @classmethod
    def create(
        cls,
        out_dir: str | os.PathLike[str],
        name: str,
        *,
        resume: bool = False,
        overwrite: bool = False,
        collectives: Collectives | None = None,
    ) -> RunFolder:
        """Create `<out_dir>/<name>`; `resume` opens it where it exists, `overwrite` moves an old one aside. A run that
        failed or was stopped before its first step is no obstacle.

        Raises `UsageError` where the name could leave `out_dir`, or the folder holds a run already.
        """
        folder = _place(Path(out_dir), name)
        if resume and overwrite:
            raise UsageError("a run cannot be resumed and overwritten at once: choose --resume or --overwrite")
        if _holds_something(folder) and not _came_to_nothing(folder) and not resume:
            if not overwrite:
                raise UsageError(_occupied(folder))
            _move_aside(folder)
        try:
            make_folder(folder)
        except OSError as error:
            raise UsageError(f"the run folder {folder} cannot be created: {error}") from error
        return cls(folder, collectives or OneProcess())

    @cached_property
    def checkpoints(self) -> CheckpointStore:
        """The run's checkpoints."""
        return CheckpointStore(self.dir / "checkpoints", self.collectives)

    @property
    def status(self) -> RunStatus | None:
        """How the run stands, or None before it began."""
        return read_status(self.dir / "status.json")

    def set_status(self, status: State, step: int, reason: str = "") -> None:
        """Say how the run stands after `step` optimizer steps, and why it ended."""
        before = self.status or RunStatus(status, step)
        with told(self.dir / "status.json"):
            write_status(self.dir / "status.json", replace(before, status=status, step=step, reason=reason))

    def begin(self, processes: int = 1) -> None:
        """Say that the run begins, or goes on, in this process and `processes` in all."""
        with told(self.dir / "status.json"):
            write_status(self.dir / "status.json", begun(self.status, processes))

    def write_config(self, resolved: str, *, sources: Mapping[str, str], overrides: Sequence[str] = ()) -> None:
        """Write the resolved configuration, the text of its files by their paths, and the overrides, secrets masked."""
        with told(self.dir / "config.yaml"):
            replace_file(self.dir / "config.yaml", resolved.encode())
        self._write_json("overrides.json", list(overrides))
        shutil.rmtree(self.dir / "sources", ignore_errors=True)
        for place, text in _below(self.dir / "sources", sources).items():
            with told(place):
                make_folder(place.parent)
                replace_file(place, text.encode())

    def write_masked(self, places: Mapping[str, str | None]) -> None:
        """Write which values of the configuration are masked, with the expressions that give them again."""
        with told(self.dir / MASKED):
            (self.dir / MASKED).unlink(missing_ok=True)
        if places:
            self._write_json(MASKED, places)

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Write which distribution, version and target every component came from."""
        self._write_json("plan.json", plan)

    def write_lock(self, lock: Mapping[str, Any]) -> None:
        """Write which code the run is made of, file by file."""
        self._write_json("lock.json", lock)

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Write where the run runs: what `describe_environment` returned."""
        self._write_json("environment.json", environment)

    def _write_json(self, name: str, content: Any) -> None:
        with told(self.dir / name):
            replace_file(self.dir / name, json.dumps(content, indent=1).encode())


def _place(out_dir: Path, name: str) -> Path:
    flaw = flaw_of_name(name)
    if flaw:
        raise UsageError(f"a run cannot be named '{name}': {flaw} (run.name; run.out_dir may be any folder)")
    folder = out_dir / name
    if folder.is_symlink():
        raise UsageError(
            f"the run folder {folder} is a link and would leave run.out_dir: let run.out_dir be its target"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"the run folder {folder} cannot be created: there is a file of this name")
    return folder


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(item.name != LOCK for item in folder.iterdir())


def _came_to_nothing(folder: Path) -> bool:
    """Whether the run ended before its first step, so that it can be tried again under its name."""
    status = read_status(folder / "status.json")
    ended = status is not None and status.status in ("failed", "stopped") and status.step == 0
    return ended and not (folder / "checkpoints").exists()


def _occupied(folder: Path) -> str:
    status = read_status(folder / "status.json")
    state = f" ({status.status} at step {status.step})" if status else ""
    return (
        f"the run folder {folder} holds a run already{state}, and runs are never overwritten. Go on with it: --resume; "
        f"keep both: run.name=<another name>; start anew: --overwrite, which moves the old one to {_aside(folder).name}"
    )


def _aside(folder: Path) -> Path:
    return next(place for n in count(1) if not (place := folder.with_name(f"{folder.name}.replaced-{n}")).exists())


def _move_aside(folder: Path) -> None:
    try:
        move(folder, _aside(folder))
    except OSError as error:
        raise UsageError(f"the old run folder {folder} cannot be moved aside: {error}") from error


def _below(folder: Path, sources: Mapping[str, str]) -> dict[Path, str]:
    """Place every source below `folder` so that they lie to each other as they did, wherever that was."""
    absolute = {Path(os.path.normpath(Path(path).absolute())): text for path, text in sources.items()}
    if not absolute:
        return {}
    root = os.path.commonpath([path.parent for path in absolute])
    return {folder / path.relative_to(root): text for path, text in absolute.items()}
