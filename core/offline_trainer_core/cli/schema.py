"""`ot schema`: what editors need to complete and check configurations."""

from __future__ import annotations

import json
from pathlib import Path

import click

from offline_trainer_core.cli.options import traceback_option
from offline_trainer_core.plan.sections import SECTIONS

__all__ = ["command"]


@click.command("schema")
@click.option("-o", "--output", metavar="FILE", help="Write it into this file.")
@click.option("--section", type=click.Choice(list(SECTIONS)), help="Only what a file under this section holds.")
@traceback_option
def command(output: str | None, section: str | None) -> None:
    """Write a JSON Schema of the language, so that editors complete and check configurations.

    It has every component of the installed packages; none of them is imported. Write it anew after installing others.
    """
    from offline_trainer_core.catalogue import installed_registry
    from offline_trainer_core.schema import json_schema

    text = json.dumps(json_schema(installed_registry(), section), indent=1, ensure_ascii=False)
    if output is None:
        click.echo(text)
        return
    try:
        Path(output).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror or error}") from error
