"""`ot info`: one component, read from its metadata and source without importing it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.cli.example import example_yaml
from offline_trainer_core.cli.options import traceback_option
from offline_trainer_core.cli.screen import print_table, print_text, print_yaml
from offline_trainer_core.signature import read_signature, type_in_words

if TYPE_CHECKING:
    from offline_trainer_core.catalogue import Entry
    from offline_trainer_core.signature import Parameter

__all__ = ["command"]


@click.command("info")
@click.argument("key")
@traceback_option
def command(key: str) -> None:
    """Describe one component: its arguments, its origin, an example.

    KEY is what stands behind `_type_`, such as trainer.default. Nothing is imported: the source is read.
    """
    registry = installed_registry()
    for number, entry in enumerate(registry.candidates(key) or [registry.find(key)]):
        if number:
            click.echo()
        _describe(entry)


def _describe(entry: Entry) -> None:
    signature = read_signature(entry.reference)
    click.secho(signature.text(entry.key) if signature else entry.key, bold=True)
    if signature and signature.doc:
        click.echo()
        print_text(inspect.cleandoc(signature.doc))
    click.echo(f"\nfrom    {entry.label}\ntarget  {entry.reference}")
    if signature is None:
        click.echo("The source does not tell its arguments; `ot check --deep` imports it and sees them.")
        return
    if signature.file:
        click.echo(f"source  {signature.file}:{signature.line}")
    if signature.parameters:
        _section("arguments")
        print_table(["name", "type", "default"], map(_row, signature.parameters), fold=1)
    example = example_yaml(entry.key, signature)
    if example:
        _section("example")
        print_yaml(example)


def _section(title: str) -> None:
    click.secho(f"\n{title}", bold=True)


def _row(parameter: Parameter) -> tuple[str, str, str]:
    stars = {"var_positional": "*", "var_keyword": "**"}.get(parameter.kind, "")
    default = parameter.default if parameter.has_default else "" if stars else "required"
    return f"{stars}{parameter.name}", type_in_words(parameter), default
