"""What a run that goes on from a checkpoint may keep of it, and how exact that can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, resolve_config
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.explain import Subject
from offline_trainer_core.plan.sections import SECTIONS
from offline_trainer_core.record import Manifest
from offline_trainer_core.run.differences import (
    Deviation,
    code_deviations,
    config_deviations,
    environment_deviations,
)
from offline_trainer_core.types import Exactness, RunInfo

__all__ = ["compared", "judged"]

_WAYS_ON = """\
undo that, or choose how to go on:
  --accept-changes (in Python: accept_changes=True), and it takes effect from there on, as long as the weights fit
  another run.name, no --resume, and 'weights' of a model component, for another run that begins with these weights"""


def compared(info: RunInfo, manifest: Manifest, config: Config, registry: Registry) -> tuple[Deviation, ...]:
    """Return in what `info` differs from the run that wrote the checkpoint, as far as it changes the training."""
    plan = manifest.plan or info.plan
    if manifest.config == info.hparams and plan == info.plan:
        return ()
    before = Subject.of(resolve_config(manifest.config), registry)
    after = Subject.of(config, registry)
    return (*config_deviations(before, after), *code_deviations(plan, info.plan, after))


def judged(info: RunInfo, manifest: Manifest, deviations: Sequence[Deviation], *, accept_changes: bool) -> RunInfo:
    """Return `info` with how exact the resume can be, and with the sections whose changes are to take effect.

    Raises `CheckpointError` for a change of what is trained that nobody accepted.
    """
    changes = [deviation for deviation in deviations if deviation.effect == "training"]
    if changes and not accept_changes:
        raise CheckpointError(_refusal(info.resume_from, changes))
    exactness = Exactness()
    for reason in environment_deviations(manifest.environment, info.environment):
        exactness = exactness.lowered("order-only", reason)
    for deviation in deviations:
        exactness = exactness.lowered("weights-only" if _reorders(deviation) else "order-only", str(deviation))
    return replace(info, exactness=exactness, renewed=frozenset(change.section for change in changes))


def _reorders(deviation: Deviation) -> bool:
    """Whether other samples may follow, or the same ones in another order."""
    is_code = deviation.section not in SECTIONS
    return deviation.effect == "training" and (is_code or deviation.section == "data" or deviation.path == "run.seed")


def _refusal(checkpoint: str | None, changes: Iterable[Deviation]) -> str:
    return "\n".join(
        (f"{checkpoint} was saved by a run that trained otherwise:", *(f"  {c}" for c in changes), _WAYS_ON)
    )
