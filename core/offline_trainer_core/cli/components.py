"""`ot components`: what may stand behind `_type_`."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING

import click

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.cli.options import traceback_option
from offline_trainer_core.cli.screen import print_broken, print_table
from offline_trainer_core.signature import read_signature

if TYPE_CHECKING:
    from offline_trainer_core.catalogue import Entry, Registry

__all__ = ["command"]


@click.command("components")
@click.option("--kind", metavar="KIND", help="Only this kind, such as loss or cb.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@traceback_option
def command(kind: str | None, as_json: bool) -> None:
    """List the components that installed packages provide.

    Reads the metadata and the source of the installed packages, and imports none of them.
    """
    registry = installed_registry()
    entries = _entries(registry, kind)
    if as_json:
        click.echo(json.dumps([_describe(entry) for entry in entries], indent=2))
        return
    for label in sorted({entry.label for entry in entries}):
        click.secho(label, bold=True)
        print_table((), (["", e.key, _summary(e)] for e in entries if e.label == label), fold=2)
        click.echo()
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
        "summary": _summary(entry),
        "distribution": entry.distribution,
        "version": entry.version,
        "target": entry.reference,
        "signature_policy": entry.signature_policy,
        "tags": list(entry.tags),
    }


def _summary(entry: Entry) -> str:
    """Return the first sentence of the component's docstring, empty where there is none."""
    signature = read_signature(entry.reference)
    paragraph = inspect.cleandoc(signature.doc).partition("\n\n")[0] if signature else ""
    return re.split(r"(?<=\.)\s", " ".join(paragraph.split()), maxsplit=1)[0]
