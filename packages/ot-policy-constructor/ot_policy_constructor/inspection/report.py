"""The survey of a policy in rows and sentences, for people, and as plain data, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ot_policy_constructor.inspection.numbers import megabytes, short, times
from ot_policy_constructor.inspection.parameters import Count
from ot_policy_constructor.inspection.shapes import Size, Value
from ot_policy_constructor.inspection.survey import Component, ModuleFacts, Survey

__all__ = ["HEADERS", "NUMBERS", "as_data", "rows_of", "sentences_of"]

HEADERS = ("module", "type", "input", "output", "trainable", "frozen", "MB", "FLOPs", "calls", "dtype")
NUMBERS = ("trainable", "frozen", "MB", "FLOPs", "calls")
"""The columns that are aligned on the right."""


def rows_of(survey: Survey, depth: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for every module down to `depth` below its component."""
    for component in survey.components:
        yield from _rows(component.module, "", "", depth)


def _rows(module: ModuleFacts, branch: str, below: str, depth: int) -> Iterator[tuple[str, ...]]:
    yield f"{branch}{module.name}", *_cells(module)
    if depth:
        for number, child in enumerate(module.children):
            last = number == len(module.children) - 1
            yield from _rows(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "), depth - 1)


def _cells(module: ModuleFacts) -> tuple[str, ...]:
    parameters = module.parameters
    return (
        module.type,
        _shapes(module.inputs),
        _shapes(module.outputs),
        f"{parameters.trainable:,}" if parameters.trainable else "",
        f"{parameters.frozen:,}" if parameters.frozen else "",
        megabytes(parameters.bytes) if parameters.bytes else "",
        "" if module.flops is None else short(module.flops.at(1)),
        str(module.calls) if module.calls else "",
        ", ".join(parameters.dtypes),
    )


def _shapes(values: tuple[Value, ...]) -> str:
    if len(values) == 1:
        return values[0].label
    return ", ".join(f"{value.name} {value.label}" for value in values)


def sentences_of(survey: Survey, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (about what, what is to be known of it) for everything that is no row."""
    yield "parameters", _total(survey.parameters)
    if len(survey.components) > 1:
        for component in survey.components:
            yield f"  {component.name}", _of_component(component)
    yield "shapes", f"B is the number of samples; a batch of this configuration has {survey.batch_size:,}"
    besides = ", ".join(survey.not_counted) or "nothing"
    yield "FLOPs", f"of one call for one sample, two per multiply-add; not counted: {besides}"
    deepest = max(_depth(component.module) for component in survey.components)
    if deepest > depth:
        yield "modules", f"shown to depth {depth}; the deepest lie at {deepest}: --depth {deepest} shows them all"


def _total(parameters: Count) -> str:
    return (
        f"{parameters.total:,}: {parameters.trainable:,} trainable, {parameters.frozen:,} frozen; "
        f"{megabytes(parameters.bytes)} MB with buffers"
    )


def _of_component(component: Component) -> str:
    called = f"called {times(component.times)} by {component.way}" if component.way else "not called"
    state = "frozen; " if component.frozen else ""
    return f"{component.module.parameters.total:,}; {state}{called}"


def _depth(module: ModuleFacts) -> int:
    return 1 + max((_depth(child) for child in module.children), default=-1)


def as_data(survey: Survey, depth: int | None) -> dict[str, Any]:
    """Return the survey as JSON has it; without `depth` with every module."""
    return {
        "algorithm": survey.algorithm,
        "batch_size": survey.batch_size,
        "parameters": _count(survey.parameters),
        "flops_not_counted": list(survey.not_counted),
        "components": [
            {
                "name": component.name,
                "frozen": component.frozen,
                "called_by": component.way,
                "calls": component.times,
                "module": _module(component.module, depth),
            }
            for component in survey.components
        ],
    }


def _module(module: ModuleFacts, depth: int | None) -> dict[str, Any]:
    below = None if depth is None else depth - 1
    return {
        "name": module.name,
        "type": module.type,
        "inputs": [_value(value) for value in module.inputs],
        "outputs": [_value(value) for value in module.outputs],
        "parameters": _count(module.parameters),
        "flops": None if module.flops is None else module.flops.at(1),
        "calls": module.calls,
        "modules": [] if depth == 0 else [_module(child, below) for child in module.children],
    }


def _count(parameters: Count) -> dict[str, Any]:
    return {
        "trainable": parameters.trainable,
        "frozen": parameters.frozen,
        "bytes": parameters.bytes,
        "dtypes": list(parameters.dtypes),
    }


def _value(value: Value) -> dict[str, Any]:
    shape = None if value.sizes is None else [_size(size) for size in value.sizes]
    return {"name": value.name, "shape": shape, "dtype": value.dtype}


def _size(size: Size) -> int | str:
    return str(size) if size.per_sample else size.constant
