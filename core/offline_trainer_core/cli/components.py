"""`ot components`: what may stand behind `_type_`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.cli.options import traceback_option
from offline_trainer_core.cli.screen import print_broken, print_table

if TYPE_CHECKING:
    from offline_trainer_core.catalogue import Entry, Registry

__all__ = ["command"]


@click.command("components")
@click.option("--kind", metavar="KIND", help="Only this kind, such as loss or cb.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@traceback_option
def command(kind: str | None, as_json: bool) -> None:
    """List the components that installed packages provide.

    Reads the metadata of the installed packages and imports none of them.
    """
    registry = installed_registry()
    entries = _entries(registry, kind)
    if as_json:
        click.echo(json.dumps([_describe(entry) for entry in entries], indent=2))
        return
    print_table(["component", "provided by", "target"], ([e.key, e.label, e.reference] for e in entries), fold="target")
    print_broken(registry.broken)


def _entries(registry: Registry, kind: str | None) -> list[Entry]:
    kinds = sorted({entry.kind for entry in registry.entries()})
    if kind is not None and kind not in kinds:
        raise click.UsageError(f"no installed package provides '{kind}' components; there are {', '.join(kinds)}")
    return [entry for entry in registry.entries() if kind in (None, entry.kind)]


def _describe(entry: Entry) -> dict[str, object]:
    return {
        "key": entry.key,
        "kind": entry.kind,
        "distribution": entry.distribution,
        "version": entry.version,
        "target": entry.reference,
        "signature_policy": entry.signature_policy,
        "tags": list(entry.tags),
    }
