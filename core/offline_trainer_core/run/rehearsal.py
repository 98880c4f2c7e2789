"""Carries one real batch through everything: `ot run --dry-run`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from offline_trainer_core.config import concealing
from offline_trainer_core.run.checked import Source, checked
from offline_trainer_core.run.opening import describe_run, folder_of
from offline_trainer_core.run.processes import joined

if TYPE_CHECKING:
    from offline_trainer_core.engine import Rehearsal

__all__ = ["rehearse"]


def rehearse(config: Source, overrides: Sequence[str] = ()) -> Rehearsal:
    """Train on one real batch and validate, write nothing, and return what was seen on the way."""
    from offline_trainer_core.build import build_parts, build_trainer
    from offline_trainer_core.engine import rehearse as carry_through

    resolved, registry, report = checked(config, overrides)
    with concealing(resolved), joined() as collectives:
        info = describe_run(resolved, report.plan, folder_of(resolved), collectives)
        parts = build_parts(resolved, registry, report.plan, run=info, collectives=collectives)
        trainer = build_trainer(resolved, parts["registry"])
        return carry_through(parts, getattr(trainer, "settings", None))
