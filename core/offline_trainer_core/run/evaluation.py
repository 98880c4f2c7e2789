"""Evaluates the policy of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from offline_trainer_core.config import concealing, resolve_config
from offline_trainer_core.errors import UsageError
from offline_trainer_core.record import RunFolder
from offline_trainer_core.run.checked import checked
from offline_trainer_core.run.opening import describe_run
from offline_trainer_core.run.processes import joined

__all__ = ["evaluate"]


def evaluate(
    run_dir: str | os.PathLike[str], *, checkpoint: str = "last", overrides: Sequence[str] = ()
) -> Mapping[str, float]:
    """Return the scores of the `eval` section of a run with the weights of one of its checkpoints.

    What the evaluations write goes below `eval/<checkpoint>` in the run folder, apart from what training wrote.
    """
    from offline_trainer_core.build import build_parts
    from offline_trainer_core.engine import LoopSettings, Session

    folder = RunFolder(Path(run_dir))
    recorded = folder.dir / "config.yaml"
    if not recorded.is_file():
        raise UsageError(f"{run_dir} is no run folder: it has no config.yaml")
    without_loggers = ["~loggers"] if resolve_config(recorded).find("loggers") is not None else []
    config, registry, report = checked(recorded, [*overrides, *without_loggers])
    with concealing(config), joined() as collectives:
        info = describe_run(config, report.plan, folder, collectives)
        info = replace(info, resume_from=checkpoint, dir=folder.dir / "eval" / Path(checkpoint).name)
        parts = build_parts(config, registry, report.plan, run=info, collectives=collectives)
        if not parts["evaluations"]:
            raise UsageError(f"{run_dir}: its configuration has no 'eval' section")
        session = Session({**parts, "optimizer_factory": None, "scheduler_factory": None}, LoopSettings())
        session.restore_policy()
        return session.evaluate()
