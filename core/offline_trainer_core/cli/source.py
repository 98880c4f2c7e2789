"""What the commands that look at a configuration read it from."""

from __future__ import annotations

from pathlib import Path

from offline_trainer_core.cli.screen import print_problems
from offline_trainer_core.config import Config
from offline_trainer_core.run import todays

__all__ = ["config_source"]


def config_source(source: str) -> str | Config:
    """Return the file that holds a configuration: of a run folder, the one that the run recorded.

    A file of an older dialect is its translation, and standard error says so.
    """
    recorded = Path(source) / "config.yaml"
    file = str(recorded) if recorded.is_file() else source
    translation = todays(file)
    if not isinstance(translation, Config):
        return file
    print_problems(translation.warnings[:1], err=True)  # the others are for who runs or migrates it
    return translation
