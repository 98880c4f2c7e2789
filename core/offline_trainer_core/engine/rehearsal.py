"""One real batch through everything, to see keys, shapes and types at each hop before hours are spent."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from offline_trainer_core.engine.logs import to_floats
from offline_trainer_core.engine.prepare import LoopSettings
from offline_trainer_core.engine.session import Session
from offline_trainer_core.nest import describe

__all__ = ["Hop", "Rehearsal", "rehearse"]


@dataclass(frozen=True)
class Hop:
    """A station on a batch's way: rows of (name, shape, dtype)."""

    name: str
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Rehearsal:
    """What one batch showed."""

    hops: tuple[Hop, ...]
    parameters: Mapping[str, tuple[int, int]]
    """For every model: parameters in all, and those that are trained."""
    logs: Mapping[str, float]
    validation: Mapping[str, float]
    steps_per_epoch: int | None
    peak_memory: int
    """Bytes: of the device where it is a GPU, of the process otherwise."""


def rehearse(parts: Mapping[str, Any], settings: LoopSettings | None = None) -> Rehearsal:
    """Train on one batch and validate, without loggers, callbacks and evaluations; nothing is written."""
    hops: list[Hop] = []
    quiet = {**parts, "loggers": {}, "callbacks": {}, "plugins": {}, "evaluations": {}}
    session = Session(quiet, settings or LoopSettings(max_steps=1))
    context = session.context
    batch, _ = next(session.batches())
    hops.append(Hop("batch", tuple(describe(batch))))
    if context.normalizer is not None and not context.normalizer.is_idle:
        hops.append(Hop("normalized batch", tuple(describe(context.normalizer(batch)))))
    with _watched(context.models, hops):
        session.train_on(batch, last=True)
    session.log_train()
    return Rehearsal(
        tuple(hops),
        {name: _count(model) for name, model in context.models.items()},
        to_floats(context.last_train_logs),
        session.validate(),
        context.steps_per_epoch,
        _peak_memory(context.run.device),
    )


@contextmanager
def _watched(models: Mapping[str, nn.Module], hops: list[Hop]) -> Iterator[None]:
    """Note what goes into and comes out of each model, the first time."""
    handles = []
    for name, model in models.items():

        def note(module: nn.Module, args: Any, kwargs: Any, outputs: Any, name: str = name) -> None:
            if not any(hop.name == f"{name}: inputs" for hop in hops):
                inputs = {**{str(index): value for index, value in enumerate(args)}, **kwargs}
                hops.append(Hop(f"{name}: inputs", tuple(describe(inputs))))
                hops.append(Hop(f"{name}: outputs", tuple(describe(outputs))))

        handles.append(model.register_forward_hook(note, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _count(model: nn.Module) -> tuple[int, int]:
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
