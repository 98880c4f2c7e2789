"""How `ot run` reads its command line."""

from __future__ import annotations

import click
import pytest

from offline_trainer_core.cli.run import _arguments, command


def parsed(*arguments: str) -> click.Context:
    return command.make_context("run", list(arguments))


def test_overrides_reach_the_run_as_they_were_typed() -> None:
    overrides = ("trainer.max_epochs=3", "callbacks[0].every_n_steps=5", "+imports=extensions.x", "~scheduler")
    assert parsed("cfg.yaml", *overrides).params["overrides"] == overrides


@pytest.mark.parametrize(
    ("typed", "resume", "overrides"),
    [
        (["cfg.yaml"], None, ()),
        (["cfg.yaml", "--resume"], "auto", ()),
        (["--resume", "cfg.yaml"], "auto", ()),
        (["cfg.yaml", "--resume", "a.b=1"], "auto", ("a.b=1",)),
        (["cfg.yaml", "--resume", "~scheduler"], "auto", ("~scheduler",)),
        (["cfg.yaml", "--resume", "--overwrite"], "auto", ()),
        (["cfg.yaml", "--resume", "runs/a/checkpoints/last", "a.b=1"], "runs/a/checkpoints/last", ("a.b=1",)),
        (["cfg.yaml", "--resume=runs/a"], "runs/a", ()),
    ],
)
def test_resume_may_stand_alone_or_name_a_checkpoint(typed, resume, overrides) -> None:
    params = parsed(*typed).params
    assert (params["config"], params["resume"], params["overrides"]) == ("cfg.yaml", resume, overrides)


def test_started_processes_read_the_same_command_without_the_number_of_processes() -> None:
    typed = parsed("cfg.yaml", "a.b=1", "--nproc", "2", "--resume", "--overwrite", "--accept-changes", "--traceback")
    again = parsed(*_arguments(typed)[1:])
    assert again.params == {**typed.params, "nproc": 1}
    assert again.meta["traceback"]


def test_a_dry_run_refuses_what_it_would_ignore(ot) -> None:
    done = ot("run", "cfg.yaml", "--dry-run", "--nproc", "2")
    assert done.returncode == 2
    assert "--dry-run takes neither" in done.stderr
