"""What an algorithm calls each of several model components with, as far as its reader tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from offline_trainer_core.config import join_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.calling import inputs_of, model_names
from offline_trainer_core.plan.document import Document, Mention, below
from offline_trainer_core.plan.names import Names
from offline_trainer_core.plan.readings import Invocation
from offline_trainer_core.signature import Signature
from offline_trainer_core.spelling import nearest

__all__ = ["component_inputs"]


def component_inputs(document: Document, names: Names) -> Iterator[Problem]:
    """A component is called with what it takes, and what is offered to components is taken by one of them."""
    for mention, reading in names.readings:
        calls = [(call, _inputs_of_component(call.component, document, names)) for call in reading.invokes]
        idle = _taken_by_nobody(calls)
        for call, inputs in calls:
            if inputs is not None:
                yield from _misfits(mention, call, inputs, idle)
        missing = [name for call, inputs in calls if inputs is not None for name in _missing(call, inputs)]
        for name, where in idle.items():
            message = f"'{name}' is handed to nobody: no component takes it, and no later entry refers to it"
            place, meant = below(mention.path, where), nearest(name, missing)
            yield mention.document.problem("model-inputs", message, place, at_key=True, suggestion=meant)


def _inputs_of_component(component: str | None, document: Document, names: Names) -> Signature | None:
    models = model_names(document)
    name = models[0] if component is None and len(models) == 1 else component
    if name not in models:
        return None
    several = document.config.find("model.components") is not None
    return inputs_of(join_path("model.components", name) if several else "model", names)


def _misfits(mention: Mention, call: Invocation, inputs: Signature, idle: Mapping[str, str]) -> Iterator[Problem]:
    notes = (f"its inputs: {', '.join(map(str, inputs.parameters)) or 'none'}",)
    who = f"'{call.component}'" if call.component is not None else "the model"
    missing = _missing(call, inputs)
    unknown = [name for name in call.given if name not in inputs.names and not inputs.accepts_any]
    for name in unknown:
        place, meant = below(mention.path, call.given[name]), nearest(name, missing)
        message = f"'{name}' is not an input of {who}"
        yield mention.document.problem("model-inputs", message, place, at_key=True, suggestion=meant, notes=notes)
    if missing and not unknown and not idle:
        message = f"{who} is given no {' and no '.join(map(repr, missing))}"
        yield mention.document.problem("model-inputs", message, below(mention.path, call.where), notes=notes)


def _missing(call: Invocation, inputs: Signature) -> list[str]:
    return [name for name in inputs.required if name not in call.given and name not in call.offered]


def _taken_by_nobody(calls: list[tuple[Invocation, Signature | None]]) -> dict[str, str]:
    """Return what is offered to components of which none takes it, and where that stands."""
    offered = {name: where for call, _ in calls for name, where in call.offered.items() if where is not None}
    takers = [inputs for call, inputs in calls if call.offered]
    if any(inputs is None or inputs.accepts_any for inputs in takers):
        return {}
    return {n: where for n, where in offered.items() if not any(inputs and n in inputs.names for inputs in takers)}
