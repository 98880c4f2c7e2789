"""`ot run`: trains, and says what it is about to do and where it left everything."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import click

from offline_trainer_core.cli.options import (
    LockedMayStandAlone,
    config_argument,
    locked_option,
    overrides_argument,
    traceback_option,
)
from offline_trainer_core.cli.report import exactness_shown, print_header, print_rehearsal, print_result
from offline_trainer_core.distributed import STARTED
from offline_trainer_core.errors import RunStopped, UsageError
from offline_trainer_core.run import find_lock, launch, rehearse, run

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command"]


class ResumeMayStandAlone(LockedMayStandAlone):
    """Reads `--resume` as `--resume=auto` unless what follows it is the path of a checkpoint."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [_completed(*pair) for pair in zip(args, [*args[1:], ""], strict=True)])


def _completed(argument: str, following: str) -> str:
    if argument != "--resume" or _names_a_checkpoint(following):
        return argument
    return "--resume=auto"


def _names_a_checkpoint(text: str) -> bool:
    is_override = "=" in text or text.startswith(("+", "~"))
    is_config = text.endswith((".yaml", ".yml"))
    return bool(text) and not (is_override or is_config or text.startswith("-"))


@click.command("run", cls=ResumeMayStandAlone)
@config_argument
@overrides_argument
@click.option(
    "--resume", metavar="[CHECKPOINT]", help="Go on from the newest checkpoint of this run, or from this one."
)
@click.option("--overwrite", is_flag=True, help="Move an earlier run of the same name aside.")
@click.option("--accept-changes", is_flag=True, help="Resume with other settings than the run had.")
@locked_option
@click.option("--dry-run", is_flag=True, help="Carry one real batch through everything, and write nothing.")
@click.option(
    "--nproc", type=click.IntRange(min=1), default=1, metavar="N", help="Train on N processes of this machine."
)
@traceback_option
@click.pass_context
def command(
    ctx: click.Context,
    config: str,
    overrides: tuple[str, ...],
    resume: str | None,
    overwrite: bool,
    accept_changes: bool,
    locked: str | None,
    dry_run: bool,
    nproc: int,
) -> None:
    """Train as a configuration says.

    An OVERRIDE is key=value, +key=value to add a key, or ~key to delete one: trainer.max_epochs=3
    'callbacks[0].every_n_steps=5' +imports=extensions.x ~scheduler
    """
    if dry_run:
        if nproc > 1 or resume or overwrite or accept_changes or locked:
            raise UsageError(
                "--dry-run takes neither --nproc nor an option of how a run begins: it runs one batch, from scratch"
            )
        print_rehearsal(rehearse(config, overrides))
    elif nproc > 1 and "WORLD_SIZE" not in os.environ:
        lock = find_lock(config, overrides, locked, resume) if locked else None
        ctx.exit(launch(config, overrides, _arguments(ctx), nproc, lock=lock))
    else:
        wishes = {"overwrite": overwrite, "accept_changes": accept_changes, "locked": locked}
        _train(config, overrides, resume=resume, **wishes)


def _train(config: str, overrides: Sequence[str], **wishes: Any) -> None:
    with exactness_shown():
        result = run(config, overrides, announce=print_header, **wishes)
    if os.environ.get("RANK", "0") == "0":
        print_result(result)
    if result.status == "stopped":
        stop = RunStopped(f"{result.reason}; to go on: {_command_to_go_on(config, overrides)}")
        stop.reported = os.environ.get("RANK", "0") != "0"
        raise stop


def _command_to_go_on(config: str, overrides: Sequence[str]) -> str:
    processes = ["--nproc", os.environ.get("LOCAL_WORLD_SIZE", "1")] if STARTED in os.environ else []
    return shlex.join(["ot", "run", config, *overrides, "--resume", *processes])


def _arguments(ctx: click.Context) -> list[str]:
    """Return the arguments of this command for the processes that it starts: all but their number."""
    given = ctx.params
    flags = ["--overwrite"] * given["overwrite"] + ["--accept-changes"] * given["accept_changes"]
    flags += ["--traceback"] * ctx.meta.get("traceback", False)
    valued = [f"--{name}={given[name]}" for name in ("resume", "locked") if given[name]]
    return ["run", given["config"], *given["overrides"], *valued, *flags]
