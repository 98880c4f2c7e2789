"""Where components may write: inside the run folder, or where the user said in full."""

from __future__ import annotations

from pathlib import Path

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import RunInfo

__all__ = ["destination", "new_destination"]


def destination(run: RunInfo, path: str | Path) -> Path:
    """Return `path` in the run folder; an absolute path stays as it is.

    Raises `ComponentError` for a relative path that climbs out of the run folder.
    """
    written = Path(path).expanduser()
    if written.is_absolute():
        return written
    root = run.dir.resolve()
    target = (root / written).resolve()
    if not target.is_relative_to(root):
        raise ComponentError(f"'{path}' leads out of the run folder {root}; write a path below it, or an absolute one")
    return target


def new_destination(run: RunInfo, path: str | Path, *, resumed: bool) -> Path:
    """Return `destination(run, path)` for a file or folder that the run begins, or goes on with where it is resumed.

    Raises `ComponentError` where a run that begins would replace a file outside of its folder, or write among others in
    a folder there: what a configuration says in full may be anywhere, and may be wrong.
    """
    target = destination(run, path)
    is_taken = any(target.iterdir()) if target.is_dir() else target.exists()
    if not resumed and is_taken and not target.resolve().is_relative_to(run.dir.resolve()):
        raise ComponentError(f"{target} exists already, outside of the run folder; remove it, or write another path")
    return target
