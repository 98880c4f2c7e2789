"""Files of older dialects: run and checked as what they are today."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from offline_trainer_core.config import Config
from offline_trainer_core.errors import Location, Problem

__all__ = ["todays"]

_TRACE = re.compile(rb"component_config_paths|datamodule|^[ \t{\"']*train[\"']?[ \t]*:", re.MULTILINE)
"""What is in every file of an older dialect, and in few of today's: the others are not parsed to find out."""
_MOST_BYTES = 1024 * 1024


def todays(source: str | os.PathLike[str] | Mapping[str, Any]) -> str | os.PathLike[str] | Mapping[str, Any] | Config:
    """Return `source`, or the translation of a file of an older dialect, with a warning that says so.

    Raises `ConfigError` with what is wrong in an older file.
    """
    file = None if isinstance(source, Mapping) else os.fspath(source)
    if file is None or not _may_be_older(file):
        return source
    from offline_trainer_core.migrate import translated

    translation = translated(file)
    if translation is None:
        return source
    message = f"{file} is written in the {translation.dialect} dialect; its translation is used"
    fix = f"ot migrate --in-place {shlex.quote(file)}"
    older = Problem("older-dialect", message, location=Location(file, 1, 1), fix=fix, severity="warning")
    return replace(translation.config, warnings=(older, *translation.problems))


def _may_be_older(file: str) -> bool:
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            return False  # a pipe is read but once, a device has no end
        with open(file, "rb") as stream:
            return _TRACE.search(stream.read(_MOST_BYTES)) is not None
    except (OSError, ValueError):
        return False  # who reads it next says why
