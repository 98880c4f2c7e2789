"""`ot model`: what the policy of a configuration is made of."""

from __future__ import annotations

import json
from pathlib import Path

import click

_config = click.argument("config", metavar="CONFIG")
_overrides = click.argument("overrides", nargs=-1, metavar="[OVERRIDE]...")

_DEPTH = 2


@click.group()
def model() -> None:
    """Look at the networks of a policy before they are trained."""


@model.command()
@_config
@_overrides
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Levels below a component.  [default: {_DEPTH}; all in JSON]",
)
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
def show(config: str, overrides: tuple[str, ...], depth: int | None, style: str) -> None:
    """List every module with its shapes, parameters and cost.

    One real batch is read, and a few of its samples go through the policy as in validation; nothing is trained or
    written. CONFIG may be the folder of a run.
    """
    # Imported here, so that `ot model --help` stays quick.
    from offline_trainer_core import specimen
    from ot_policy_constructor.inspection.printing import print_survey
    from ot_policy_constructor.inspection.report import as_data
    from ot_policy_constructor.inspection.survey import survey

    seen = survey(specimen(config, overrides))
    if style == "json":
        click.echo(json.dumps(as_data(seen, depth), indent=2))
    else:
        print_survey(seen, _DEPTH if depth is None else depth)


@model.command()
@_config
@_overrides
@click.option(
    "-o", "--out", default="model.svg", show_default=True, type=click.Path(path_type=Path), help="A .svg, .png or .pdf."
)
def draw(config: str, overrides: tuple[str, ...], out: Path) -> None:
    """Draw the whole policy: fields of the batch, every network with the graph inside it, what comes out.

    One real batch is read, and a few of its samples go through the policy as in validation; nothing is trained. CONFIG
    may be the folder of a run.
    """
    from ot_policy_constructor.inspection.drawing.file import draw_into, refuse_file

    refuse_file(out)  # before anything is read
    from offline_trainer_core import specimen
    from ot_policy_constructor.inspection.survey import survey

    draw_into(out, survey(specimen(config, overrides)), title=config)
    click.echo(str(out))
