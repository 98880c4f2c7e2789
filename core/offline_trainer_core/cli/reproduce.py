"""`ot reproduce`: runs a recorded run again, and says whether the result is the same."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offline_trainer_core.cli.options import overrides_argument, traceback_option
from offline_trainer_core.cli.report import print_header
from offline_trainer_core.cli.screen import print_table
from offline_trainer_core.run import launch
from offline_trainer_core.run.environments import environment_changes
from offline_trainer_core.run.outcome import compare_outcomes
from offline_trainer_core.run.recipe import Recipe
from offline_trainer_core.run.reproduction import repeat

if TYPE_CHECKING:
    from offline_trainer_core.plan import CheckReport
    from offline_trainer_core.run.outcome import Outcome, Parting
    from offline_trainer_core.types import RunInfo

__all__ = ["command"]


@click.command("reproduce")
@click.argument("run", metavar="RUN")
@overrides_argument
@click.option("--name", metavar="NAME", help="Of the new run; by default that of RUN with '-reproduced'.")
@click.option("--allow-drift", is_flag=True, help="Run the code that is installed now, also where it is another.")
@traceback_option
@click.pass_context
def command(ctx: click.Context, run: str, overrides: tuple[str, ...], name: str | None, allow_drift: bool) -> None:
    """Run a recorded run again, and say whether the result is the same.

    RUN is a run folder. The same configuration, code and seed run on as many processes, from the first step to that of
    the newest checkpoint, in a folder beside RUN. Other code than that of RUN is refused; what of the environment is
    another is said. Masked secrets are read from the variables that they came from; an OVERRIDE gives what is missing.

    Exits with 0 if all weights and optimizer states are equal to the bit, with 1 if they are not.
    """
    recipe = Recipe.of(Path(run), overrides, name)
    if "WORLD_SIZE" in os.environ:  # one of several processes: who started them compares
        repeat(recipe, allow_drift=allow_drift, announce=partial(_print_beginning, recipe))
        return
    if recipe.processes > 1:
        arguments = ["reproduce", run, *overrides, f"--name={recipe.dir.name}", *["--allow-drift"] * allow_drift]
        lock = None if allow_drift else recipe.lock
        code = launch(recipe.config, recipe.overrides, arguments, recipe.processes, lock=lock)
        if code not in (0, 75):
            ctx.exit(code)
    else:
        repeat(recipe, allow_drift=allow_drift, announce=partial(_print_beginning, recipe))
    outcome = compare_outcomes(recipe.original, recipe.dir, recipe.step)
    _print_outcome(outcome)
    ctx.exit(0 if outcome.is_same else 1)


def _print_beginning(recipe: Recipe, run: RunInfo, report: CheckReport) -> None:
    click.echo(f"reproduces {recipe.original} up to step {recipe.step:,}")
    changes = environment_changes(recipe, run)
    if changes:
        print_table(["environment", "then", "now"], changes, fold=2)
    else:
        click.echo("in the same environment")
    click.echo()
    print_header(run, report)


def _print_outcome(outcome: Outcome) -> None:
    click.echo()
    steps = f"after {outcome.step:,} steps"
    if outcome.is_same and outcome.differing is not None:
        click.secho(f"reproduced to the bit: weights and optimizer states {steps} are equal", fg="green")
    elif outcome.is_same:
        click.secho(
            f"reproduced as far as can be told: every metric {steps} is equal, and there is no checkpoint to compare"
        )
    else:
        click.secho(f"not reproduced: {', '.join(outcome.differing or ['metrics'])} {steps} are not equal", fg="red")
    if outcome.parting is not None:
        click.echo(f"first difference: {_in_words(outcome.parting)}")
    elif not outcome.is_same:
        click.echo("every metric that was logged is equal")
    print_table((), [("original", str(outcome.original)), ("run folder", str(outcome.repeated))], fold=1)


def _in_words(parting: Parting) -> str:
    step, stage, metric, before, after = parting
    if before is None or after is None:
        side = "the original" if after is None else "the new run"
        return f"only {side} has {stage}/{metric} at step {step:,}"
    relative = f", a relative difference of {parting.relative:.2g}" if parting.relative is not None else ""
    return f"{stage}/{metric} at step {step:,} was {before!r} and is {after!r}{relative}"
