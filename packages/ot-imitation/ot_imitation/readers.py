"""What `ot check` may know of the algorithms without importing them: components, fields, and mistakes in a context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ot_imitation.context import Context, entry_of
from ot_imitation.mistakes import Mistake, find_mistakes

__all__ = ["Reading"]

Arguments = Mapping[str, Any]


@dataclass
class Reading:
    """What a reader hands back."""

    reports: tuple[str, ...]
    reads: list[tuple[str, str, Any]] = field(default_factory=list)
    problems: list[Mistake] = field(default_factory=list)


def read_flow_matching(arguments: Arguments) -> Reading:
    """What `algo.flow_matching` reads, and reports of validation."""
    return _read(arguments)


def read_diffusion(arguments: Arguments) -> Reading:
    """What `algo.diffusion` reads, and reports of validation; it cannot sample in more steps than it diffuses."""
    reading = _read(arguments)
    sampling, diffusion = arguments.get("sampling_steps", 10), arguments.get("diffusion_steps", 100)
    if isinstance(sampling, int) and isinstance(diffusion, int) and sampling > diffusion:
        place = "sampling_steps" if "sampling_steps" in arguments else "diffusion_steps"
        message = f"a diffusion of {diffusion} steps is sampled in at most as many, not in {sampling}"
        reading.problems.append((place, "bad-value", message, None))
    return reading


def read_act(arguments: Arguments) -> Reading:
    """What `algo.act` reads, and reports of validation."""
    encoder = arguments.get("style_encoder")
    reading = _read(arguments, "l1_loss", *(["kl_divergence"] if encoder is not None else []))
    reading.reads += [("style_encoder", "models", [encoder])] if isinstance(encoder, str) else []
    return reading


def read_bc(arguments: Arguments) -> Reading:
    """What `algo.bc` reads, and reports of validation; a sample needs noise, whose shape it must be told."""
    reading = _read(arguments)
    if arguments.get("act") == "sample" and arguments.get("action_shape") is None:
        message = "to act by a sample, it needs 'action_shape', such as [16, 2]"
        reading.problems.append(("act", "missing-argument", message, None))
    return reading


def _read(arguments: Arguments, *reports: str) -> Reading:
    auxiliary = arguments.get("auxiliary")
    names = tuple(map(str, auxiliary)) if isinstance(auxiliary, Mapping) else ()
    reading = Reading(("loss", "action_error", *reports, *names))
    action = arguments.get("action_field", "action")
    reading.reads.append(("action_field" if "action_field" in arguments else "", "batch", action))
    if isinstance(arguments.get("network"), str):
        reading.reads.append(("network", "models", [arguments["network"]]))
    context = arguments.get("context")
    if context is not None:
        reading.problems += find_mistakes(context)
        reading.reads += [] if reading.problems else _of_context(Context(context))
    return reading


def _of_context(context: Context) -> list[tuple[str, str, Any]]:
    fields = [(where, source) for where, source in context.sources() if entry_of(source) is None]
    reads: list[tuple[str, str, Any]] = [(f"context.{where}", "batch", source) for where, source in fields]
    return reads + [(f"context.{name}.model", "models", [call.model]) for name, call in context.calls()]
