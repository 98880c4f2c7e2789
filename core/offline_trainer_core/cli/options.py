"""Arguments and options that several commands share."""

from __future__ import annotations

import click

__all__ = ["LockedMayStandAlone", "config_argument", "locked_option", "overrides_argument", "traceback_option"]

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


class LockedMayStandAlone(click.Command):
    """Reads `--locked` as `--locked=auto`: only an equals sign gives it a value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--locked=auto" if argument == "--locked" else argument for argument in args])


locked_option = click.option(
    "--locked",
    metavar="[=PATH]",
    help="Refuse other code than that of the run that is resumed, or whose config.yaml this is; =PATH: than that of "
    "another run folder or lock file.",
)
