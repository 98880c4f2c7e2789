"""Puts one configuration through the whole of `ot check`, and says whether that went as it must."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest.mock import patch

from offline_trainer_core.catalogue import Registry, installed_registry
from offline_trainer_core.cli import main
from offline_trainer_core.run import checked

__all__ = ["STYLES", "Trial", "check", "faults", "one_registry"]

STYLES = ("text", "json", "github")
_RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What drives a terminal, ends a line or turns the direction of the text: no message may hold it as it is."""
_COMMAND = re.compile(r"^\s*(::|##\[)", re.MULTILINE)
"""What GitHub takes for a command, in an output that is none."""


class Trial(NamedTuple):
    """What `ot check` did: its exit code, what was on the screen, and how long it computed."""

    code: int
    screen: str
    seconds: float
    style: str = "text"


@contextmanager
def one_registry() -> Iterator[None]:
    """Read the metadata of the installed distributions once, not for every configuration."""
    everything = installed_registry()

    def registry(allowed: object = None) -> Registry:
        return everything if allowed is None else installed_registry(allowed)  # type: ignore[arg-type]

    with patch.object(checked, "installed_registry", registry):
        yield


def check(file: str, overrides: Sequence[str] = (), env: Mapping[str, str] | None = None, style: str = "text") -> Trial:
    """Run `ot check` on `file` in this process, with an output as strict about its encoding as a terminal's."""
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    began = time.process_time()
    with patch.dict(os.environ, env or {}), redirect_stdout(screen), redirect_stderr(screen):
        try:
            main(["check", "--format", style, "--", file, *overrides])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    seconds = time.process_time() - began
    return Trial(code, screen.buffer.getvalue().decode(), seconds, style)


def faults(trial: Trial, *, right: bool | None = None, limit: float = 1.0) -> list[str]:
    """Return what went wrong with the check itself; `right` says whether the configuration is, where that is known."""
    found = []
    if trial.code not in (0, 2) or "Traceback" in trial.screen:
        found.append("traceback")
    elif trial.code == 2 and not trial.screen.strip():
        found.append("silent")
    elif trial.screen.startswith("error: "):
        found.append("unlocated")  # the command line was right: what is wrong has a place
    elif right is not None and right != (trial.code == 0):
        found.append("refused" if right else "accepted")
    if _RAW.search(trial.screen):
        found.append("raw-characters")
    if _COMMAND.search("" if trial.style == "github" else trial.screen):
        found.append("command-of-a-log")
    if trial.seconds > limit:
        found.append("slow")
    return found
