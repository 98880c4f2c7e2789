"""A run, from the text of its configuration to its result: resolve, plan, check, build, fit."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer_core.catalogue import Registry, installed_registry
from offline_trainer_core.config import Config, config_digest, masked, redacted, resolve_config, to_yaml
from offline_trainer_core.distributed import Collectives, connect
from offline_trainer_core.errors import CheckpointError, ConfigError, DeviceError, OfflineTrainerError, UsageError
from offline_trainer_core.plan import CheckReport, Plan, check_config_tree, plan_difference
from offline_trainer_core.record import RecordLogger, RunFolder, describe_environment
from offline_trainer_core.types import RunInfo, RunResult

if TYPE_CHECKING:
    from offline_trainer_core.engine import Rehearsal

__all__ = ["build_registry", "check_config", "evaluate", "launch", "rehearse", "run"]

log = logging.getLogger(__name__)

Source = str | os.PathLike[str] | Mapping[str, Any]


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
    resolved = resolve_config(config, overrides)
    registry = build_registry(resolved)
    report = _checked(resolved, registry)
    with _joined() as collectives:
        _agree(report, collectives)
        folder, info = _open(resolved, report, collectives, resume, overwrite)
        with _recorded(folder, info, report.plan):
            if announce is not None and info.is_main:
                announce(info, report)
            result = _fit(resolved, registry, report.plan, info, collectives)
            if info.is_main:
                folder.set_status(result.status, result.state.global_step, result.reason)
            return result


def check_config(config: Source, overrides: Sequence[str] = ()) -> CheckReport:
    """Return everything that can be known to be wrong without importing a component; problems are not raised."""
    resolved = resolve_config(config, overrides)
    return check_config_tree(resolved, build_registry(resolved))


def build_registry(config: Config | None = None) -> Registry:
    """Return the components of the installed distributions; of those that `config` allows, if one is given."""
    return installed_registry(config.plain("settings.allowed_distributions") if config is not None else None)


def evaluate(
    run_dir: str | os.PathLike[str], *, checkpoint: str = "last", overrides: Sequence[str] = ()
) -> Mapping[str, float]:
    """Run the `eval` section of a finished or running run with the weights of one of its checkpoints; return the
    scores."""
    from offline_trainer_core.engine import LoopSettings, Session

    folder = RunFolder(Path(run_dir))
    if not (folder.dir / "config.yaml").is_file():
        raise UsageError(f"{run_dir} is no run folder: it has no config.yaml")
    resolved = resolve_config(folder.dir / "config.yaml", overrides)
    if resolved.find("loggers") is not None:
        resolved = resolve_config(folder.dir / "config.yaml", [*overrides, "~loggers"])
    registry = build_registry(resolved)
    report = _checked(resolved, registry)
    with _joined() as collectives:
        info = replace(_describe(resolved, report.plan, folder, collectives), resume_from=checkpoint)
        parts = _build(resolved, registry, report.plan, info, collectives)
        if not parts["evaluations"]:
            raise UsageError(f"{run_dir}: its configuration has no 'eval' section")
        session = Session({**parts, "optimizer_factory": None, "scheduler_factory": None}, LoopSettings())
        session.restore_policy()
        return session.evaluate()


def rehearse(config: Source, overrides: Sequence[str] = ()) -> Rehearsal:
    """Carry one real batch through everything, write nothing, and return what was seen on the way: `ot run
    --dry-run`."""
    from offline_trainer_core.engine import rehearse as carry_through

    resolved = resolve_config(config, overrides)
    registry = build_registry(resolved)
    report = _checked(resolved, registry)
    with _joined() as collectives:
        folder = RunFolder(Path(resolved.plain("run.out_dir")) / resolved.plain("run.name"))
        info = replace(_describe(resolved, report.plan, folder, collectives), resume_from=None)
        return carry_through(_build(resolved, registry, report.plan, info, collectives))


def launch(config: Source, overrides: Sequence[str], arguments: Sequence[str], processes: int) -> int:
    """Start `ot <arguments>` on several processes through the configuration's launcher; return the exit code.

    The configuration is checked here first, so that one process reports what is wrong with it.
    """
    from offline_trainer_core.build import build_section

    resolved = resolve_config(config, overrides)
    registry = build_registry(resolved)
    _checked(resolved, registry)
    launcher = build_section(resolved, registry, "run.launcher", default="launcher.local")
    code: int = launcher.launch(list(arguments), processes)
    status = RunFolder(Path(resolved.plain("run.out_dir")) / resolved.plain("run.name")).status
    return 75 if code and status is not None and status.status == "stopped" else code


def _checked(config: Config, registry: Registry) -> CheckReport:
    report = check_config_tree(config, registry)
    if report.errors:
        raise ConfigError(report.errors)
    return report


@contextmanager
def _joined() -> Iterator[Collectives]:
    collectives = connect()
    try:
        yield collectives
    except OfflineTrainerError as error:
        error.reported = not collectives.first_to_say(str(error))
        raise
    finally:
        collectives.close()


def _agree(report: CheckReport, collectives: Collectives) -> None:
    """Stop where a process would import something else than process 0."""
    mine = report.plan.to_json()
    difference = plan_difference(mine, collectives.broadcast_object(mine))
    if difference:
        raise DeviceError(
            f"process {collectives.rank} would run something else than process 0; install the same distributions on "
            "every machine:\n  " + "\n  ".join(difference)
        )


def _open(
    config: Config, report: CheckReport, collectives: Collectives, resume: str | None, overwrite: bool
) -> tuple[RunFolder, RunInfo]:
    """Create or open the run folder on process 0, and write down what is about to run."""
    resume_from = resume or config.plain("run.resume_from")
    path = None
    if collectives.rank == 0:
        out_dir, name = Path(config.plain("run.out_dir")).expanduser(), config.plain("run.name")
        path = RunFolder.create(out_dir, name, resume=resume_from == "auto", overwrite=overwrite).dir
    folder = RunFolder(collectives.broadcast_object(path), collectives)
    if resume_from == "auto":
        resume_from = collectives.broadcast_object(_newest_checkpoint(folder) if collectives.rank == 0 else None)
    info = replace(_describe(config, report.plan, folder, collectives), resume_from=resume_from)
    if info.is_main:
        folder.write_config(
            to_yaml(info.hparams),
            sources={file: redacted(text, config) for file, text in config.files.items()},
            overrides=[redacted(text, config) for text in config.overrides],
        )
        folder.write_plan(info.plan)
        folder.write_environment(describe_environment(report.plan.distributions()))
        folder.set_status("running", 0)
    return folder, info


def _newest_checkpoint(folder: RunFolder) -> str | None:
    """Return the checkpoint to go on from, or None where the run has not saved one yet."""
    newest = folder.checkpoints.latest()
    if newest is None and folder.checkpoints.names():
        raise CheckpointError(
            f"every checkpoint in {folder.checkpoints.dir} is damaged, so there is nothing to go on from; --overwrite "
            "moves the run aside and starts anew"
        )
    if newest is None:
        log.warning("%s has no checkpoint yet: the run starts from its beginning", folder.dir)
    return newest


def _describe(config: Config, plan: Plan, folder: RunFolder, collectives: Collectives) -> RunInfo:
    from offline_trainer_core.build import choose_device, make_deterministic

    if config.plain("run.deterministic"):
        make_deterministic()
    return RunInfo(
        name=config.plain("run.name"),
        dir=folder.dir,
        seed=config.plain("run.seed") or 0,
        device=choose_device(config.plain("run.device") or "auto", collectives.local_rank),
        precision=config.plain("run.precision") or "fp32",
        rank=collectives.rank,
        world_size=collectives.world_size,
        hparams=plan.inlined(masked(config), {path: masked(file) for path, file in plan.model_files.items()}),
        plan=plan.to_json(),
        config_digest=config_digest(config),
        checkpoints=folder.checkpoints,
    )


@contextmanager
def _recorded(folder: RunFolder, info: RunInfo, plan: Plan) -> Iterator[None]:
    """Write into the record how the run failed, if it does; say of a component's exception which component it was."""
    from offline_trainer_core.build import explain_failure

    try:
        yield
    except BaseException as error:
        if info.is_main:
            step = folder.status.step if folder.status else 0
            folder.set_status("failed", step, f"{type(error).__name__}: {error}")
        if isinstance(error, OfflineTrainerError) or not isinstance(error, Exception):
            raise
        failure = explain_failure(error, plan, device=info.device, world_size=info.world_size)
        if failure is None:
            raise
        raise failure from error


def _fit(config: Config, registry: Registry, plan: Plan, info: RunInfo, collectives: Collectives) -> RunResult:
    from offline_trainer_core.build import build_trainer
    from offline_trainer_core.engine import call_with_parts

    parts = _build(config, registry, plan, info, collectives)
    parts["loggers"] = {"record": RecordLogger(), **parts["loggers"]}
    result: RunResult = call_with_parts(build_trainer(config, registry).fit, parts)
    return result


def _build(config: Config, registry: Registry, plan: Plan, info: RunInfo, collectives: Collectives) -> dict[str, Any]:
    """Build the parts, models from the same seed on every process."""
    from offline_trainer_core.build import build_parts
    from offline_trainer_core.engine import seed_everything

    seed_everything(info.seed)
    return build_parts(config, registry, plan, run=info, collectives=collectives)
