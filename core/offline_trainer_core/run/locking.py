"""Finds the lock that `--locked` means."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import UsageError
from offline_trainer_core.run.checked import Source
from offline_trainer_core.run.lock import LOCK
from offline_trainer_core.run.older import todays
from offline_trainer_core.run.opening import folder_of

__all__ = ["find_lock"]


def find_lock(config: Source, overrides: Sequence[str], locked: str | os.PathLike[str], resume: str | None) -> Path:
    """Return the lock file that `locked` names: a run folder, a lock file, or `auto`.

    `auto` is the lock of the run that is resumed, else of the run folder in which the file `config` lies.
    Raises `UsageError` where there is none.
    """
    if locked != "auto":
        path = Path(locked)
        return path / LOCK if path.is_dir() else path
    found = next((place / LOCK for place in _places(config, overrides, resume) if (place / LOCK).is_file()), None)
    if found is None:
        raise UsageError(
            "there is no lock to hold this to: that would be the one of the run that is resumed, or of the run folder "
            f"in which the configuration lies. Every run leaves one, {LOCK}; name it by --locked=runs/<name>"
        )
    return found


def _places(config: Source, overrides: Sequence[str], resume: str | None) -> Iterator[Path]:
    resolved = resolve_config(todays(config), overrides)
    wanted = resume or resolved.plain("run.resume_from")
    if wanted is not None:
        path = Path(wanted)
        yield from (path, path.parent.parent) if path.is_dir() else (folder_of(resolved).dir,)
    elif isinstance(config, (str, os.PathLike)):
        yield Path(config).parent
