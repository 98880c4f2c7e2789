"""Commands that installed packages advertise: listed by name from their metadata, imported when typed."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from offline_trainer_core.installed import advertisers, normalized

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

__all__ = ["advertised_commands", "load_command"]

_GROUP = "offline_trainer.commands"


@cache
def advertised_commands() -> dict[str, str]:
    """Return the name of every advertised command with the distribution that provides it; imports nothing of it.

    Only where the environment narrows what counts does `ot --help` wait for the catalogue.
    """
    if "OT_DISABLE_PLUGINS" in os.environ or "OT_ALLOWED_DISTRIBUTIONS" in os.environ:
        from offline_trainer_core.catalogue import installed_commands

        return {entry.key: entry.label for entry in installed_commands()}
    found: dict[str, str] = {}
    for advertiser in advertisers(_GROUP)[0]:
        for name in _names_of(advertiser.entry_points):
            found.setdefault(name, f"{normalized(advertiser.name)} {advertiser.version}")
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


def _names_of(text: str) -> Iterator[str]:
    lines = iter(text.partition(f"[{_GROUP}]")[2].splitlines()[1:])
    for line in lines:
        if line.startswith("["):
            return
        name, equals, _ = line.partition("=")
        if equals:
            yield name.strip()
