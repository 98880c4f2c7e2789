"""A run, from the text of its configuration to its result: resolve, plan, check, build, fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from offline_trainer_core.distributed import listening
from offline_trainer_core.durations import seconds_of
from offline_trainer_core.plan import CheckReport
from offline_trainer_core.record import Heartbeat, RecordLogger
from offline_trainer_core.run.checked import Source, checked
from offline_trainer_core.run.opening import open_run, recorded
from offline_trainer_core.run.processes import agree, joined
from offline_trainer_core.types import RunInfo, RunResult

__all__ = ["run"]


def run(
    config: Source,
    overrides: Sequence[str] = (),
    *,
    resume: str | None = None,
    overwrite: bool = False,
    announce: Callable[[RunInfo, CheckReport], None] | None = None,
) -> RunResult:
    """Train as `config` says: the Python twin of `ot run`.

    Args:
        config: Path of a YAML file, or a mapping.
        overrides: `key=value`, `+key=value` and `~key`, as on the command line.
        resume: `auto`, or the path of a checkpoint; goes before `run.resume_from`.
        overwrite: Whether an earlier run of the same name is moved aside.
        announce: Called on the main process when the run folder is open, before anything is built.

    Raises:
        ConfigError: The configuration is wrong; it carries every problem.
        OfflineTrainerError: What can go wrong after that; each class has its exit code.
    """
    from offline_trainer_core.build import build_parts, build_trainer
    from offline_trainer_core.engine import call_with_parts

    resolved, registry, report = checked(config, overrides)
    time_limit = resolved.plain("run.time_limit")
    with listening() as signals, joined(seconds_of(resolved.plain("run.process_timeout") or 10)) as collectives:
        if time_limit is not None:
            signals.limit(seconds_of(time_limit), str(time_limit))
        agree(report.plan, collectives)
        folder, info = open_run(resolved, report.plan, collectives, resume, overwrite)
        with recorded(folder, info, report.plan):
            if announce is not None and info.is_main:
                announce(info, report)
            parts = build_parts(resolved, registry, report.plan, run=info, collectives=collectives)
            parts["loggers"] = {"record": RecordLogger(), **parts["loggers"]}
            parts["plugins"] = {**parts["plugins"], "run record": Heartbeat(folder.dir / "status.json")}
            trainer = build_trainer(resolved, parts["registry"])
            result: RunResult = call_with_parts(trainer.fit, parts)
            if info.is_main:
                folder.set_status(result.status, result.state.global_step, result.reason)
            return result
