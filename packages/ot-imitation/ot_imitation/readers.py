"""What `ot check` may know of the algorithms without importing them: components, fields, and mistakes in a context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offline_trainer_core import join_path
from ot_imitation.context import Context, entry_of
from ot_imitation.mistakes import Mistake, find_mistakes

__all__ = ["Reading"]

Arguments = Mapping[str, Any]
Invoked = tuple[str, "str | None", dict[str, str], "dict[str, str | None]"]
"""Where a component is named, its name, what it is given, and what it is offered: names and where they stand."""


@dataclass
class Reading:
    """What a reader hands back."""

    reports: tuple[str, ...]
    reads: list[tuple[str, str, Any]] = field(default_factory=list)
    invokes: list[Invoked] = field(default_factory=list)
    problems: list[Mistake] = field(default_factory=list)


def read_flow_matching(arguments: Arguments) -> Reading:
    """What `algo.flow_matching` reads, calls, and reports of validation."""
    return _read(arguments, network=("actions", "time"))


def read_diffusion(arguments: Arguments) -> Reading:
    """What `algo.diffusion` reads, calls, and reports; it cannot sample in more steps than it diffuses."""
    reading = _read(arguments, network=("actions", "time"))
    sampling, diffusion = arguments.get("sampling_steps", 10), arguments.get("diffusion_steps", 100)
    if isinstance(sampling, int) and isinstance(diffusion, int) and sampling > diffusion:
        place = "sampling_steps" if "sampling_steps" in arguments else "diffusion_steps"
        message = f"a diffusion of {diffusion} steps is sampled in at most as many, not in {sampling}"
        reading.problems.append((place, "bad-value", message, None))
    return reading


def read_act(arguments: Arguments) -> Reading:
    """What `algo.act` reads, calls, and reports of validation."""
    if arguments.get("style_encoder") is None:
        reading = _read(arguments, network=(), optional=("latent",))
    else:
        reading = _read(arguments, network=("latent",), style_encoder=("actions",), optional=("padding_mask",))
        reading.reports += ("kl_divergence",)
    reading.reports += ("l1_loss",)
    return reading


def read_bc(arguments: Arguments) -> Reading:
    """What `algo.bc` reads, calls, and reports of validation; a sample needs noise, whose shape it must be told."""
    reading = _read(arguments, network=())
    if arguments.get("act") == "sample" and arguments.get("action_shape") is None:
        message = "to act by a sample, it needs 'action_shape', such as [16, 2]"
        reading.problems.append(("act", "missing-argument", message, None))
    return reading


def _read(arguments: Arguments, optional: tuple[str, ...] = (), **roles: tuple[str, ...]) -> Reading:
    """Read what the algorithms have in common; each role's component must take what stands beside it here."""
    auxiliary = arguments.get("auxiliary")
    reading = Reading(("loss", "action_error", *(map(str, auxiliary) if isinstance(auxiliary, Mapping) else ())))
    action = arguments.get("action_field", "action")
    reading.reads.append(("action_field" if "action_field" in arguments else "", "batch", action))
    reading.reads += [(role, "models", [arguments[role]]) for role in roles if isinstance(arguments.get(role), str)]
    context = arguments.get("context")
    reading.problems += find_mistakes(context) if context is not None else []
    if context is not None and not reading.problems:
        known = Context(context)
        reading.reads += _what_it_reads(known)
        reading.invokes += _what_it_calls(known)
        offered: dict[str, str | None] = {**_handed_on(known), **dict.fromkeys(optional)}
        for role, needs in roles.items():
            place = role if role in arguments else ""
            reading.invokes.append((place, arguments.get(role), dict.fromkeys(needs, place), offered))
    return reading


def _what_it_reads(context: Context) -> list[tuple[str, str, Any]]:
    fields = [(where, source) for where, source in context.sources() if entry_of(source) is None]
    reads: list[tuple[str, str, Any]] = [(f"context.{where}", "batch", source) for where, source in fields]
    return reads + [(f"context.{name}.model", "models", [call.model]) for name, call in context.calls()]


def _what_it_calls(context: Context) -> list[Invoked]:
    return [
        (f"context.{name}", call.model, {n: join_path(f"context.{name}.inputs", n) for n in call.inputs}, {})
        for name, call in context.calls()
    ]


def _handed_on(context: Context) -> dict[str, str | None]:
    """Return the entries, and where those stand that only a network can use."""
    used = {entry_of(source) for _, source in context.sources()}
    return {name: None if name in used else f"context.{name}" for name in context.entries}
