"""A run, from the text of its configuration to its result: resolve, plan, check, build, fit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from offline_trainer_core.config import concealing
from offline_trainer_core.distributed import listening
from offline_trainer_core.durations import seconds_of
from offline_trainer_core.plan import CheckReport
from offline_trainer_core.record import Heartbeat, RecordLogger
from offline_trainer_core.run.checked import Source, checked
from offline_trainer_core.run.locking import find_lock
from offline_trainer_core.run.opening import Wish, open_run, recorded
from offline_trainer_core.run.processes import agree, joined
from offline_trainer_core.run.stop_after import StopAfter
from offline_trainer_core.types import RunInfo, RunResult

__all__ = ["run"]


def run(
    config: Source,
    overrides: Sequence[str] = (),
    *,
    resume: str | None = None,
    overwrite: bool = False,
    accept_changes: bool = False,
    locked: str | os.PathLike[str] | None = None,
    until: int | None = None,
    announce: Callable[[RunInfo, CheckReport], None] | None = None,
) -> RunResult:
    """Train as `config` says: the Python twin of `ot run`.

    Args:
        config: Path of a YAML file, or a mapping.
        overrides: `key=value`, `+key=value` and `~key`, as on the command line.
        resume: `auto`, `last`, `best`, the name of a checkpoint, or the path of one or of a run; goes before
            `run.resume_from`.
        overwrite: Whether an earlier run of the same name is moved aside.
        accept_changes: Whether a run that is resumed may go on with other settings than it had.
        locked: The lock that the code must agree with: a run folder, a lock file, or `auto`, which is that of the run
            that is resumed, or of the run folder in which `config` lies.
        until: The optimizer step after which to save and stop, to be resumed.
        announce: Called on the main process when the run folder is open, before anything is built.

    Raises:
        ConfigError: The configuration is wrong; it carries every problem.
        OfflineTrainerError: What can go wrong after that; each class has its exit code.
    """
    from offline_trainer_core.build import build_parts, build_trainer
    from offline_trainer_core.engine import call_with_parts

    lock = find_lock(config, overrides, locked, resume) if locked is not None else None
    resolved, registry, report = checked(config, overrides, lock)
    time_limit = resolved.plain("run.time_limit")
    with listening() as signals, joined(seconds_of(resolved.plain("run.process_timeout") or 10)) as collectives:
        if time_limit is not None:
            signals.limit(seconds_of(time_limit), str(time_limit))
        agree(report.plan, collectives)
        wish = Wish(resume, overwrite, accept_changes)
        with (
            open_run(resolved, registry, report.plan, collectives, wish) as (folder, info),
            recorded(folder, info, report.plan),
            concealing(resolved),
        ):
            if announce is not None and info.is_main:
                announce(info, report)
            parts = build_parts(resolved, registry, report.plan, run=info, collectives=collectives)
            parts["loggers"] = {"record": RecordLogger(), **parts["loggers"]}
            parts["plugins"] = {**parts["plugins"], "run record": Heartbeat(folder.dir / "status.json")}
            if until is not None:
                parts["plugins"]["stop after"] = StopAfter(until)
            trainer = build_trainer(resolved, parts["registry"])
            result: RunResult = call_with_parts(trainer.fit, parts)
            if info.is_main:
                folder.set_status(result.status, result.state.global_step, result.reason)
            return result
