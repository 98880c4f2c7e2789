"""`ot` itself: finds the command that was typed, and turns errors into messages and exit codes."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from offline_trainer_core.cli.advertised import advertised_commands, load_command
from offline_trainer_core.cli.leaving import leave
from offline_trainer_core.cli.screen import colours
from offline_trainer_core.distributed import STARTED, StoppedEarly, end_with_parent, listening
from offline_trainer_core.errors import RunStopped
from offline_trainer_core.spelling import did_you_mean

__all__ = ["SUMMARIES", "main", "ot"]

# What `ot --help` says, so that it need not import the commands. A test compares it with their own words.
SUMMARIES = {
    "run": "Train as a configuration says.",
    "check": "Find everything that is wrong with a configuration, without running it.",
    "show": "Print a configuration as it resolves.",
    "explain": "Say where a value comes from, what it is for, and what else could stand there.",
    "diff": "Say in what two configurations differ, or two runs.",
    "schema": "Write a JSON Schema of the language, so that editors complete and check configurations.",
    "migrate": "Rewrite older files in the language of today.",
    "runs": "List runs: how each stands, how far it is, and how good.",
    "reproduce": "Run a recorded run again, and say whether the result is the same.",
    "components": "List the components that installed packages provide.",
    "info": "Describe one component: its arguments, its origin, an example.",
    "plugins": "List the packages that provide components, hooks and commands.",
    "eval": "Evaluate the policy of a run.",
    "export": "Write the policy of a run in a format that runs elsewhere.",
}

LASTING = ("run", "reproduce", "eval", "export")
"""Commands whose processes live on."""


class Commands(click.Group):
    """A group that imports a command when it is typed, and reports what the command raises."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*SUMMARIES, *sorted(advertised_commands().keys() - SUMMARIES.keys())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in SUMMARIES:
            module = import_module(f"offline_trainer_core.cli.{cmd_name}")
            return module.command  # type: ignore[no-any-return]
        return load_command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            hint = did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(f"there is no command '{name}'{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))
        others = {name: origin for name, origin in advertised_commands().items() if name not in SUMMARIES}
        if others:
            with formatter.section("Commands of installed packages"):
                formatter.write_dl([(name, f"provided by {origin}") for name, origin in sorted(others.items())])

    def invoke(self, ctx: click.Context) -> Any:
        ctx.color = colours()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            raise  # the reader of our output left, as `head` does: click ends quietly
        except Exception as error:
            from offline_trainer_core.cli.failure import report

            ctx.exit(report(error, show_traceback=ctx.meta.get("traceback", False)))


def _print_versions(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from importlib_metadata import PackageNotFoundError, version

    try:
        torch = f"torch {version('torch')}"
    except PackageNotFoundError:
        torch = "without torch"
    python = ".".join(str(part) for part in sys.version_info[:3])
    click.echo(f"ot {version('offline-trainer-core')} (Python {python}, {torch})")
    ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Every command has its own --help. Exit codes: 0 done, 2 the command line or the configuration is wrong, "
    "3 a component failed, 4 the data, 5 a checkpoint, 6 a non-finite loss, 7 a device; 1 anything else; "
    "75 stopped and resumable, 130 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_versions,
    help="Print the versions of ot, Python and torch.",
)
def ot() -> None:
    """Train policies from logged data, as a YAML file says."""


def _collect_nothing() -> None:
    """Spare a process that ends in a blink the search for garbage: with that at its end, a tenth of its time."""
    gc.disable()
    atexit.register(gc.freeze)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run `ot` with `args` (default: those of the process) and end the process with the exit code."""
    command = sys.argv[1] if args is None and sys.argv[1:] else ""
    if command == "run":
        if "RANK" in os.environ:
            end_with_parent()
        with listening():
            leave(_carried_out(args))
    if command in SUMMARIES and command not in LASTING:
        _collect_nothing()
    leave(_carried_out(args))


def _carried_out(args: Sequence[str] | None) -> int:
    """Return the exit code of what the command line says."""
    try:
        code: int | None = ot.main(args=args, prog_name="ot", standalone_mode=False)
    except click.ClickException as error:
        return _refuse(error)
    except click.Abort as abort:
        return _interrupted(abort.__cause__)
    except KeyboardInterrupt as interrupt:
        return _interrupted(interrupt)
    return code or 0


def _interrupted(cause: BaseException | None) -> int:
    """Say that a signal ended the process before the run could, or before there was one."""
    early, name = isinstance(cause, StoppedEarly), str(cause or "")
    launcher_says_it = not early and STARTED in os.environ and "RANK" in os.environ
    if name and os.environ.get("RANK", "0") == "0" and not launcher_says_it:
        how = f"stopped: {name} before the first step" if early else f"interrupted at once: {name} after another signal"
        click.secho(f"{how}; to go on: the same command with --resume", fg="yellow", err=True)
    return RunStopped.exit_code if early else 130


def _refuse(error: click.ClickException) -> int:
    """Say what is wrong with the command line."""
    title = click.style("error", fg="red", bold=True)
    click.echo(f"{title}: {error.format_message()}", err=True, color=colours())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"  {error.ctx.get_usage()}\n  {error.ctx.command_path} --help says more", err=True)
    return error.exit_code
