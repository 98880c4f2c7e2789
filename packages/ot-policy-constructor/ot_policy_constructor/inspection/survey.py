"""Puts together what two batches of different sizes have shown of a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from offline_trainer_core import Specimen
from ot_policy_constructor.inspection.flops import not_counted
from ot_policy_constructor.inspection.parameters import Count, count
from ot_policy_constructor.inspection.passes import Pass, Way, run_pass, ways_of
from ot_policy_constructor.inspection.recording import Recorder
from ot_policy_constructor.inspection.rows import batch_size_of
from ot_policy_constructor.inspection.shapes import ROWS, Size, Value, linear, values_of

__all__ = ["Component", "ModuleFacts", "Survey", "survey"]


@dataclass(frozen=True)
class ModuleFacts:
    """One module. Shapes are those of its first call, FLOPs of all its calls in one call of its component."""

    name: str
    type: str
    parameters: Count
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    flops: Size | None
    """None where the module was not called itself."""
    calls: int
    children: tuple[ModuleFacts, ...]


@dataclass(frozen=True)
class Component:
    """One network of the policy."""

    name: str
    module: ModuleFacts
    model: nn.Module
    way: Way | None
    """What was asked of the algorithm when it called this network; None where it called it for nothing."""
    times: int
    """How often it was called then."""
    seen: tuple[Recorder, Recorder] | None

    @property
    def frozen(self) -> bool:
        """Whether the network has parameters, none of which is trained."""
        return self.module.parameters.total > 0 and not self.module.parameters.trainable


@dataclass(frozen=True)
class Survey:
    """A whole policy."""

    algorithm: str
    batch_size: int
    components: tuple[Component, ...]
    parameters: Count
    not_counted: tuple[str, ...]
    """Operations without a formula for their FLOPs."""
    passes: tuple[tuple[Pass, Pass], ...]


def survey(specimen: Specimen) -> Survey:
    """Send real samples through the policy, in as many ways as it takes until every network was called."""
    passes: list[tuple[Pass, Pass]] = []
    missing = set(specimen.models)
    for way in ways_of(specimen.algorithm):
        if missing:
            seen = run_pass(specimen, way, ROWS[0]), run_pass(specimen, way, ROWS[1])
            missing -= {name for name, recorder in seen[0].recorders.items() if recorder.times}
            passes.append(seen)
    return Survey(
        type(specimen.algorithm).__name__,
        batch_size_of(specimen.batch),
        tuple(_component(name, model, passes) for name, model in specimen.models.items()),
        count(specimen.models.values()),
        not_counted({op for first, _ in passes for op in first.instruments.provenance.operations}),
        tuple(passes),
    )


def _component(name: str, model: nn.Module, passes: list[tuple[Pass, Pass]]) -> Component:
    for first, second in passes:
        seen = first.recorders[name], second.recorders[name]
        if seen[0].times:
            return Component(name, _module(name, "", model, seen), model, first.way, seen[0].times, seen)
    return Component(name, _module(name, "", model, None), model, None, 0, None)


def _module(name: str, path: str, module: nn.Module, seen: tuple[Recorder, Recorder] | None) -> ModuleFacts:
    first, second = (recorder.calls.get(path) for recorder in seen) if seen else (None, None)
    called: dict[str, Any] = {"inputs": (), "outputs": (), "flops": None, "calls": 0}
    if first is not None and second is not None:
        called = {
            "inputs": values_of(first.inputs, second.inputs),
            "outputs": values_of(first.outputs, second.outputs),
            "flops": linear(first.flops, second.flops),
            "calls": first.times,
        }
    children = tuple(_children(path, module, seen))
    return ModuleFacts(name, type(module).__name__, count([module]), children=children, **called)


def _children(path: str, module: nn.Module, seen: tuple[Recorder, Recorder] | None) -> Iterator[ModuleFacts]:
    children: Mapping[str, nn.Module] = dict(module.named_children())
    for name, child in children.items():
        yield _module(name, f"{path}.{name}" if path else name, child, seen)
