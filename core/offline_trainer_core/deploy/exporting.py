"""`export_policy`: a trained policy in a format that runs elsewhere, proven to act alike."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.deploy.definition import planned
from offline_trainer_core.deploy.parity import TOLERANCE, measure_parity, write_samples
from offline_trainer_core.deploy.passport import PASSPORT, Passport, entries_of
from offline_trainer_core.deploy.sample import acting_on, first_batch, observed, rows_of
from offline_trainer_core.deploy.trained import CONFIG, Trained, read_trained
from offline_trainer_core.errors import ComponentError, OfflineTrainerError, UsageError
from offline_trainer_core.record.atomic import make_folder, move, told
from offline_trainer_core.record.codec import Encoder
from offline_trainer_core.run import build_registry
from offline_trainer_core.run.checked import checked
from offline_trainer_core.signature.parts import call_with_parts
from offline_trainer_core.types import RunInfo

if TYPE_CHECKING:
    from torch import Tensor

    from offline_trainer_core.networks import PolicyModule

__all__ = ["Exported", "export_policy", "find_exporter"]

ROWS = 3
"""Rows of the batch that an exporter is given: more than one, and not a size that anything prefers."""
BATCH_SIZES = (1, 3, 64)
"""With which the exported policy must act alike."""


class Exported(NamedTuple):
    """What `export_policy` made."""

    folder: Path
    passport: Passport


def export_policy(
    run_dir: str | os.PathLike[str],
    format: str,  # noqa: A002 - what people call it
    folder: str | os.PathLike[str] | None = None,
    *,
    checkpoint: str | None = None,
    overrides: Sequence[str] = (),
) -> Exported:
    """Write the policy of a run to `folder`, by default `exports/<checkpoint>-<format>` in the folder of the run.

    `format` is the name of an installed exporter; `checkpoint` as in `load_policy`; `overrides` change the data, of
    which one batch is read. A fresh process then loads what was written and must act alike, at most `TOLERANCE` off;
    else nothing is left behind.

    Raises:
        UsageError: There is no such run or format, or `folder` exists.
        ComponentError: The policy cannot be expressed in the format, or acts otherwise there.
        CheckpointError, ConfigError, DataError: The checkpoint, a component or the data is not there or not right.
    """
    run = Path(run_dir).expanduser()
    if not (run / CONFIG).is_file():
        raise UsageError(f"{run} is no run folder: it has no {CONFIG}")
    exporter = find_exporter(format, build_registry())
    trained = read_trained(run, checkpoint)
    name = f"{trained.checkpoint.manifest.name}-{exporter.name}"
    target = Path(folder).expanduser() if folder is not None else run / "exports" / name
    if target.exists():
        raise UsageError(f"{target} exists: an export is never overwritten. Remove it, or give another folder")
    with _unpublished(target) as (draft, samples):
        passport = _write(exporter, trained, _batch(run, overrides), draft, samples)
    return Exported(target, passport)


def find_exporter(format: str, registry: Registry) -> Entry:  # noqa: A002
    """Return the exporter called `format`: `onnx`, `torch.export`. Raises `UsageError` with those that there are."""
    for name in (format, format.replace(".", "_"), format.removeprefix("export.")):
        if registry.candidates(f"export.{name}"):
            return registry.find(f"export.{name}")
    known = ", ".join(key.removeprefix("export.") for key in registry.keys("export")) or "none is installed"
    raise UsageError(f"there is no export format '{format}'; there are: {known}")


@contextmanager
def _unpublished(target: Path) -> Iterator[tuple[Path, Path]]:
    """Give an empty folder beside `target` that takes its name if all goes well, and one for what is not kept."""
    with told(target):
        make_folder(target.parent)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.mkdir()
    try:
        with tempfile.TemporaryDirectory() as samples:
            yield draft, Path(samples)
        with told(target):
            move(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _batch(run: Path, overrides: Sequence[str]) -> Any:
    """Return the first batch of the data of the run, on the CPU; nothing else of the run is built."""
    from offline_trainer_core.build import build_section
    from offline_trainer_core.catalogue.local import import_local_module

    config, registry, report = checked(run / CONFIG, overrides)
    for module in report.plan.local_modules:
        import_local_module(module.name, module.folder, registry)
    registry = registry.with_local(report.plan.targets())
    info = RunInfo(config.plain("run.name"), run, seed=config.plain("run.seed") or 0, device=_cpu())
    return first_batch(build_section(config, registry, "data"), info)


def _write(exporter: Entry, trained: Trained, batch: Any, draft: Path, samples: Path) -> Passport:
    """Let the exporter write into `draft`, and measure what came out."""
    policy = trained.policy(_cpu())
    observation = observed(policy, batch)
    inputs = {size: rows_of(observation, policy.noise_shape, size) for size in {ROWS, *BATCH_SIZES}}
    actions = {size: _acted(policy, size, *inputs[size]) for size in BATCH_SIZES}
    write_samples(samples, {str(size): (*inputs[size], actions[size]) for size in BATCH_SIZES})
    encoder = Encoder("policy")
    definition = {"config": trained.definition, "state": encoder.encode(trained.state())}
    parts = {"policy": policy, "inputs": inputs[ROWS], "folder": draft, "definition": definition}
    _hand_over(exporter, {**parts, "tensors": encoder.tensors})
    passport = Passport(
        exporter={"key": exporter.key, "distribution": exporter.distribution, "version": exporter.version},
        observation={field: _described(value) for field, value in inputs[ROWS][0].items()},
        action={"field": policy.action_field, **_described(actions[ROWS])},
        noise_shape=None if policy.noise_shape is None else list(policy.noise_shape),
        source=_source(trained),
        versions=_versions(trained),
        parity={},
        files=entries_of(draft),
    )
    passport.write(draft)
    for name in passport.files:  # some libraries let nobody else read what they write
        shutil.copymode(draft / PASSPORT, draft / name)
    passport = replace(passport, parity=_proven(measure_parity(draft, samples), exporter))
    passport.write(draft)
    return passport


def _acted(policy: PolicyModule, rows: int, observation: Mapping[str, Tensor], noise: Tensor | None) -> Tensor:
    import torch

    with torch.no_grad(), acting_on(rows):
        return policy(observation, noise).float()  # type: ignore[no-any-return]


def _described(rows: Tensor) -> dict[str, Any]:
    return {"shape": list(rows.shape[1:]), "dtype": str(rows.dtype).removeprefix("torch.")}


def _source(trained: Trained) -> dict[str, Any]:
    manifest = trained.checkpoint.manifest
    run = trained.definition["run"]["name"]
    return {"run": run, "checkpoint": manifest.name, "step": manifest.counters["global_step"]}


def _versions(trained: Trained) -> dict[str, str]:
    import torch

    distributions = planned(trained.definition).plan.distributions()
    return {"python": platform.python_version(), "torch": str(torch.__version__), **distributions}


def _cpu() -> Any:
    import torch

    return torch.device("cpu")


def _hand_over(exporter: Entry, parts: Mapping[str, Any]) -> None:
    try:
        call_with_parts(exporter.load()().write, parts, "an export")
    except OfflineTrainerError:
        raise
    except Exception as error:
        raise ComponentError(f"{exporter.key} ({exporter.label}) cannot export this policy: {error}") from error


def _proven(parity: Mapping[str, float], exporter: Entry) -> Mapping[str, float]:
    apart = {size: difference for size, difference in parity.items() if not difference <= TOLERANCE}
    if apart:
        measured = ", ".join(f"{difference:.1e} at batch {size}" for size, difference in apart.items())
        raise ComponentError(
            f"what {exporter.key} wrote does not act as the policy does: it differs by {measured}, and may by "
            f"{TOLERANCE:.0e}; nothing is left behind"
        )
    return parity
