"""Arguments and options that several commands share."""

from __future__ import annotations

import click

__all__ = ["config_argument", "overrides_argument", "traceback_option"]

config_argument = click.argument("config", metavar="CONFIG")
overrides_argument = click.argument("overrides", nargs=-1, metavar="[OVERRIDE]...")


def _remember(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    ctx.meta["traceback"] = asked


traceback_option = click.option(
    "--traceback",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember,
    help="Show the whole traceback of an error.",
)
