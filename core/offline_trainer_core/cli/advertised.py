"""Commands that installed packages advertise: listed by name from their metadata, imported when typed."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

__all__ = ["advertised_commands", "load_command"]

_SECTION = "[offline_trainer.commands]"


@cache
def advertised_commands() -> dict[str, str]:
    """Return the name of every advertised command with the distribution that provides it; imports nothing of it.

    Reads `entry_points.txt` itself, because `ot --help` should not wait for a library that does; where the environment
    narrows what counts, or distributions may lie elsewhere than in folders, it asks the catalogue.
    """
    if "OT_DISABLE_PLUGINS" in os.environ or "OT_ALLOWED_DISTRIBUTIONS" in os.environ or not _all_are_folders():
        from offline_trainer_core.catalogue import installed_commands

        return {entry.key: entry.label for entry in installed_commands()}
    found: dict[str, str] = {}
    for folder in sys.path:
        for name, origin in _commands_in(folder or "."):
            found.setdefault(name, origin)
    return found


def load_command(name: str) -> click.Command | None:
    """Import the advertised command `name`, or return None where nobody advertises it.

    Raises `ComponentError` if two packages advertise it (`name@package` decides), or if it is no click command.
    """
    if name.partition("@")[0] not in advertised_commands():
        return None
    import click

    from offline_trainer_core.catalogue import Registry, installed_commands
    from offline_trainer_core.errors import ComponentError

    entry = Registry(installed_commands()).find(name)
    command = entry.load()
    if not isinstance(command, click.Command):
        raise ComponentError(f"the command '{name}' of {entry.label} ({entry.reference}) is no click command")
    return command


def _all_are_folders() -> bool:
    from importlib.machinery import PathFinder

    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return finders == [PathFinder] and not any(os.path.isfile(path) for path in sys.path)


def _commands_in(folder: str) -> Iterator[tuple[str, str]]:
    try:
        names = os.listdir(folder)  # pathlib would cost more than the whole scan
    except OSError:
        return
    for name in names:
        if not name.endswith((".dist-info", ".egg-info")):
            continue
        try:
            with open(f"{folder}/{name}/entry_points.txt", encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError):
            continue
        if _SECTION in text:
            distribution, _, version = name.rpartition(".")[0].partition("-")
            yield from ((command, f"{distribution.replace('_', '-')} {version}") for command in _names_of(text))


def _names_of(text: str) -> Iterator[str]:
    lines = iter(text.partition(_SECTION)[2].splitlines()[1:])
    for line in lines:
        if line.startswith("["):
            return
        name, equals, _ = line.partition("=")
        if equals:
            yield name.strip()
