"""The run folder, opened: what is about to run is written down before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, concealing, masked, masked_places, redacted
from offline_trainer_core.config.digest import config_digest
from offline_trainer_core.config.dump import to_yaml
from offline_trainer_core.distributed import Collectives, StoppedEarly
from offline_trainer_core.errors import CheckpointError, OfflineTrainerError
from offline_trainer_core.plan import Plan
from offline_trainer_core.record import RunFolder, describe_environment, exclusive, refuse_running, what_bits_depend_on
from offline_trainer_core.record.status import State
from offline_trainer_core.run.choosing import Origin, choose
from offline_trainer_core.run.lock import Lock
from offline_trainer_core.run.processes import on_process_0
from offline_trainer_core.run.resuming import compared, judged
from offline_trainer_core.types import Exactness, RunInfo

__all__ = ["Wish", "describe_run", "folder_of", "open_run", "recorded"]


class Wish(NamedTuple):
    """How the user wants a run to begin; see `run`."""

    resume: str | None = None
    overwrite: bool = False
    accept_changes: bool = False


@contextmanager
def open_run(
    config: Config, registry: Registry, plan: Plan, collectives: Collectives, wish: Wish
) -> Iterator[tuple[RunFolder, RunInfo]]:
    """Create or open the run folder on process 0, keep other runs out of it, and write down what is about to run."""
    folder = RunFolder(folder_of(config).dir, collectives)
    with ExitStack() as held:
        with concealing(config):
            info = describe_run(config, plan, folder, collectives)

            def begin() -> _Resume:
                origin = _origin(config, folder, wish)
                resume = _judged(origin, info, config, registry, wish)  # refused before the record is touched
                _create(config, resume=origin.is_own, overwrite=wish.overwrite)
                held.enter_context(exclusive(folder.dir))
                _write_record(folder, info, config, plan)
                return resume

            info = replace(info, **on_process_0(collectives, begin)._asdict())
        yield folder, info


class _Resume(NamedTuple):
    """What process 0 decides for all; see `RunInfo`."""

    resume_from: str | None = None
    exactness: Exactness | None = None
    renewed: frozenset[str] = frozenset()


def _origin(config: Config, folder: RunFolder, wish: Wish) -> Origin:
    refuse_running(folder.dir)
    wanted = wish.resume or config.plain("run.resume_from")
    return choose(wanted, folder.checkpoints) if wanted is not None else Origin(None, is_own=False)


def _judged(origin: Origin, info: RunInfo, config: Config, registry: Registry, wish: Wish) -> _Resume:
    if origin.checkpoint is None:
        return _Resume()
    resumed = replace(info, resume_from=origin.checkpoint)
    manifest = origin.manifest(info.checkpoints)
    deviations = compared(resumed, manifest, config, registry)
    resumed = judged(resumed, manifest, deviations, accept_changes=wish.accept_changes)
    return _Resume(origin.checkpoint, resumed.exactness, resumed.renewed)


def _create(config: Config, *, resume: bool, overwrite: bool) -> None:
    out_dir, name = Path(config.plain("run.out_dir")).expanduser(), config.plain("run.name")
    RunFolder.create(out_dir, name, resume=resume, overwrite=overwrite)


def _write_record(folder: RunFolder, info: RunInfo, config: Config, plan: Plan) -> None:
    folder.write_config(
        to_yaml(info.hparams),
        sources={file: redacted(text, config) for file, text in config.files.items()},
        overrides=[redacted(text, config) for text in config.overrides],
    )
    folder.write_masked(_masked_places(config, plan))
    folder.write_plan(info.plan)
    folder.write_lock(Lock.of(plan).to_json())
    folder.write_environment(redacted(describe_environment(plan.distributions()), config))
    folder.begin(info.world_size)


def _masked_places(config: Config, plan: Plan) -> dict[str, str | None]:
    """Return what is masked in a configuration and, where they stand when they are inlined, in its model files."""
    places = masked_places(config)
    for path, file in plan.model_files.items():
        inlined = f"{path.removesuffix('config_path').replace('config_path.', 'config.')}config"
        places |= {f"{inlined}.{place}": text for place, text in masked_places(file).items()}
    return places


def folder_of(config: Config) -> RunFolder:
    """Return the folder of the run that `config` describes, whether it exists or not."""
    return RunFolder(Path(config.plain("run.out_dir")).expanduser() / config.plain("run.name"))


def describe_run(config: Config, plan: Plan, folder: RunFolder, collectives: Collectives) -> RunInfo:
    """Return what every part of the run may know about it."""
    from offline_trainer_core.build import choose_device, make_deterministic

    if config.plain("run.deterministic"):
        make_deterministic()
    device = choose_device(config.plain("run.device") or "auto", collectives.local_rank)
    return RunInfo(
        name=config.plain("run.name"),
        dir=folder.dir,
        seed=config.plain("run.seed") or 0,
        device=device,
        precision=config.plain("run.precision") or "fp32",
        rank=collectives.rank,
        world_size=collectives.world_size,
        hparams=plan.inlined(masked(config), {path: masked(file) for path, file in plan.model_files.items()}),
        plan=plan.to_json(),
        config_digest=config_digest(config),
        environment=what_bits_depend_on(device),
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
        _record_end("failed", f"interrupted at once by a second signal, {stop}", folder, info)
        raise
    except Exception as error:
        failure = _explained(error, folder, info, plan)
        _note_what_is_saved(failure, folder)
        _record_end("failed", f"{type(failure).__name__}: {failure}", folder, info)
        if failure is error:
            raise
        raise failure from error


def _explained(error: Exception, folder: RunFolder, info: RunInfo, plan: Plan) -> Exception:
    """Return what a person should read of `error`."""
    from offline_trainer_core.build import explain_failure, lost_worker

    if isinstance(error, OfflineTrainerError):
        return lost_worker(error, info) or error
    return explain_failure(error, plan, info, folder.collectives) or error


def _waited(folder: RunFolder) -> list[str]:
    """Wait for a checkpoint that is still being written; return what went wrong with it, if something did."""
    try:
        folder.checkpoints.wait()
    except Exception as error:  # what ended the run is to be said, and this besides
        return [str(error)]
    return []


def _note_what_is_saved(failure: Exception, folder: RunFolder) -> None:
    if isinstance(failure, CheckpointError):
        return
    notes = _waited(folder)
    last = folder.checkpoints.last()
    if last is not None:
        notes.append(f"checkpoint {last} is saved: once the cause is removed, --resume goes on from there")
    failure.__notes__ = [*getattr(failure, "__notes__", ()), *notes]


def _record_end(status: State, reason: str, folder: RunFolder, info: RunInfo) -> None:
    if info.is_main:
        with suppress(OfflineTrainerError):  # a full disk may be what ended the run
            folder.set_status(status, folder.status.step if folder.status else 0, reason)
