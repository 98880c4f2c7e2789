"""How exact a resume is, by what only the session knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.epochs import why_not_repeatable
from offline_trainer_core.engine.saving import Restored
from offline_trainer_core.engine.slot import OptimizerSlot
from offline_trainer_core.engine.state import is_stateful
from offline_trainer_core.types import Exactness

__all__ = ["judged"]


def judged(
    context: RunContext,
    restored: Restored,
    loader: Any,
    train_metrics: Mapping[str, Any],
    slots: Iterable[OptimizerSlot],
) -> Exactness:
    """Return `run.exactness`, lowered by what was found when the session was restored."""
    run = context.run
    exactness = run.exactness or Exactness()
    unknown = why_not_repeatable(loader)
    if unknown:
        exactness = exactness.lowered("weights-only", unknown)
    for reason in _of_processes(run.world_size, restored.world_size):
        exactness = exactness.lowered("order-only", reason)
    for reason in (remark for slot in slots for remark in slot.remarks):
        exactness = exactness.lowered("order-only", reason)
    parts = _of_parts(restored) if run.exactness is None else ()  # else the configurations have been compared
    for reason in (*parts, *_of_metrics(context, train_metrics), *_of_device(run.device)):
        exactness = exactness.lowered("order-only", reason)
    return exactness


def _of_processes(now: int, before: int) -> tuple[str, ...]:
    return (f"processes {now} instead of {before}",) if now != before else ()


def _of_parts(restored: Restored) -> tuple[str, ...]:
    came = tuple(f"{name} is new" for name in restored.difference.added if not name.startswith("loggers."))
    went = tuple(f"{name} is gone" for name in restored.difference.removed if not name.startswith("loggers."))
    return came + went


def _of_metrics(context: RunContext, train_metrics: Mapping[str, Any]) -> tuple[str, ...]:
    if context.state.micro_step_in_epoch == 0:
        return ()
    lost = [name for name, metric in train_metrics.items() if not is_stateful(metric)]
    return tuple(f"metric {name} has no state_dict: it counts this epoch's training from here on" for name in lost)


def _of_device(device: torch.device) -> tuple[str, ...]:
    if device.type == "cpu" or torch.are_deterministic_algorithms_enabled():
        return ()
    return (f"kernels of {device.type} may add in another order: run.deterministic makes them exact",)
