"""`ot plugins`: which installed packages take part."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from offline_trainer_core.catalogue import installed_commands, installed_registry
from offline_trainer_core.cli.options import traceback_option
from offline_trainer_core.cli.screen import print_broken, print_table
from offline_trainer_core.plan.renames import Renames

if TYPE_CHECKING:
    from offline_trainer_core.catalogue import Registry

__all__ = ["command"]


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@traceback_option
def command(as_json: bool) -> None:
    """List the packages that provide components, hooks and commands.

    Hook plugins act only in runs whose configuration names them under `plugins`.
    """
    registry = installed_registry()
    packages = _packages(registry)
    unreadable = (*registry.broken, *Renames(registry.renames).broken)
    if as_json:
        broken = [{"distribution": broken.name, "reason": broken.reason} for broken in unreadable]
        click.echo(json.dumps({"packages": packages, "broken": broken}, indent=2))
        return
    for package in packages:
        click.secho(f"{package['package']} {package['version']}", bold=True)
        provided = [(name, _in_words(package[name])) for name in ("components", "hooks", "commands")]
        print_table((), [("", name, words) for name, words in provided if words], fold=2)
    print_broken(unreadable)


def _packages(registry: Registry) -> list[dict[str, object]]:
    components, hooks, commands = registry.entries(), registry.plugins, installed_commands()
    everyone = {(entry.distribution, entry.version) for entry in (*components, *hooks, *commands, *registry.readers)}
    return [
        {
            "package": name,
            "version": version,
            "components": dict(
                sorted(Counter(entry.kind for entry in components if entry.distribution == name).items())
            ),
            "hooks": [entry.key for entry in hooks if entry.distribution == name],
            "commands": [entry.key for entry in commands if entry.distribution == name],
        }
        for name, version in sorted(everyone)
    ]


def _in_words(provided: object) -> str:
    if isinstance(provided, dict):
        return ", ".join(f"{count} {kind}" for kind, count in provided.items())
    return ", ".join(provided) if isinstance(provided, list) else str(provided)
