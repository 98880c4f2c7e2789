"""The run folder, opened: what is about to run is written down before anything is built."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from offline_trainer_core.config import Config, masked, redacted
from offline_trainer_core.config.digest import config_digest
from offline_trainer_core.config.dump import to_yaml
from offline_trainer_core.distributed import Collectives, StoppedEarly
from offline_trainer_core.errors import CheckpointError, OfflineTrainerError
from offline_trainer_core.plan import Plan
from offline_trainer_core.record import CheckpointStore, RunFolder, describe_environment
from offline_trainer_core.record.status import State
from offline_trainer_core.types import RunInfo

__all__ = ["describe_run", "folder_of", "open_run", "recorded"]

log = logging.getLogger(__name__)


def open_run(
    config: Config, plan: Plan, collectives: Collectives, resume: str | None, overwrite: bool
) -> tuple[RunFolder, RunInfo]:
    """Create or open the run folder on process 0, and write down what is about to run."""
    resume_from = resume or config.plain("run.resume_from")
    path = None
    if collectives.rank == 0:
        out_dir, name = Path(config.plain("run.out_dir")).expanduser(), config.plain("run.name")
        goes_on = resume_from is not None and _is_of_this_run(resume_from, folder_of(config).checkpoints)
        path = RunFolder.create(out_dir, name, resume=goes_on, overwrite=overwrite).dir
    folder = RunFolder(collectives.broadcast_object(path), collectives)
    if resume_from == "auto":
        resume_from = collectives.broadcast_object(_newest_checkpoint(folder) if collectives.rank == 0 else None)
    info = replace(describe_run(config, plan, folder, collectives), resume_from=resume_from)
    if info.is_main:
        folder.write_config(
            to_yaml(info.hparams),
            sources={file: redacted(text, config) for file, text in config.files.items()},
            overrides=[redacted(text, config) for text in config.overrides],
        )
        folder.write_plan(info.plan)
        folder.write_environment(describe_environment(plan.distributions()))
        folder.begin(info.world_size)
    return folder, info


def folder_of(config: Config) -> RunFolder:
    """Return the folder of the run that `config` describes, whether it exists or not."""
    return RunFolder(Path(config.plain("run.out_dir")).expanduser() / config.plain("run.name"))


def _is_of_this_run(resume_from: str, own: CheckpointStore) -> bool:
    """Whether the run itself goes on, or a new one begins from a checkpoint of another.

    Raises `CheckpointError` where there is no such checkpoint.
    """
    if resume_from in ("auto", "last", "best", *own.names()):
        return True
    if not Path(resume_from).is_dir():
        known = ", ".join(own.names()) or "none"
        raise CheckpointError(
            f"there is no checkpoint '{resume_from}': this run has {known}, and no folder is called so"
        )
    return Path(resume_from).resolve().parent == own.dir.resolve()


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


def describe_run(config: Config, plan: Plan, folder: RunFolder, collectives: Collectives) -> RunInfo:
    """Return what every part of the run may know about it."""
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
def recorded(folder: RunFolder, info: RunInfo, plan: Plan) -> Iterator[None]:
    """Write into the record how the run failed, if it does; say of a component's exception which component it was."""
    try:
        yield
    except StoppedEarly as stop:
        _record_end("stopped", f"{stop} before the first step", folder, info)
        raise
    except KeyboardInterrupt as stop:
        _record_end("failed", f"{stop} again: interrupted at once", folder, info)
        raise
    except Exception as error:
        failure = _explained(error, folder, info, plan)
        _record_end("failed", f"{type(failure).__name__}: {failure}", folder, info)
        if failure is error:
            raise
        raise failure from error


def _explained(error: Exception, folder: RunFolder, info: RunInfo, plan: Plan) -> Exception:
    """Return what a person should read of `error`."""
    from offline_trainer_core.build import explain_failure

    if isinstance(error, OfflineTrainerError):
        return error
    return explain_failure(error, plan, device=info.device, collectives=folder.collectives) or error


def _record_end(status: State, reason: str, folder: RunFolder, info: RunInfo) -> None:
    if info.is_main:
        folder.set_status(status, folder.status.step if folder.status else 0, reason)
