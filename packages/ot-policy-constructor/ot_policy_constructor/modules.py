"""Builds the modules and finds the operations that a definition names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from offline_trainer_core import ComponentError, ConfigError, Problem, build_spec, join_path
from ot_policy_constructor.graph import is_reserved
from ot_policy_constructor.ir import GraphIR
from ot_policy_constructor.lazy import lazy_variant
from ot_policy_constructor.lowering import Operation


def build_modules(
    specs: Mapping[str, Mapping[str, Any]], *, registry: Any, paths: Mapping[str, str]
) -> dict[str, nn.Module]:
    """Return the module for every spec; `paths` has the place of each in the configuration.

    Raises `ConfigError` with the problems of all specs together.
    """
    modules: dict[str, nn.Module] = {}
    problems: list[Problem] = []
    for name, spec in specs.items():
        try:
            modules[name] = _build_module(name, spec, registry, paths[name])
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return modules


def check_components(ir: GraphIR, *, registry: Any, paths: Mapping[str, str], path: str) -> None:
    """Raise `ConfigError` with every component of `ir` that the registry does not know."""
    keys = [(f"{path}.{node.path}.call", node.target) for node in ir.nodes if node.kind == "op"]
    for name, spec in ir.modules.items():
        keys += _component_keys(spec, paths[name])
    unknown = [(place, key) for place, key in keys if not registry.candidates(key)]
    if unknown:
        raise ConfigError(
            Problem("unknown-component", f"no component '{key}' is installed", place, suggestion=registry.suggest(key))
            for place, key in unknown
        )


def find_operations(ir: GraphIR, *, registry: Any) -> dict[str, Operation]:
    """Return the function for every operation that the graph calls."""
    return {node.target: _find_operation(node.target, registry) for node in ir.nodes if node.kind == "op"}


def _find_operation(key: str, registry: Any) -> Operation:
    operation: Operation = registry.get_module(key).target
    if not hasattr(operation, "__name__"):
        raise ComponentError(f"{key} must be a function with a name, and it is a {type(operation).__name__}")
    return operation


def _component_keys(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if isinstance(value.get("_type_"), str):
            yield f"{path}._type_", value["_type_"]
        for key, item in value.items():
            yield from _component_keys(item, join_path(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _component_keys(item, f"{path}[{index}]")


def _build_module(name: str, spec: Mapping[str, Any], registry: Any, path: str) -> nn.Module:
    if is_reserved(name):
        message = f"a module cannot be named '{name}': torch modules have an attribute of that name"
        raise ConfigError([Problem("reserved-name", message, path, suggestion=f"{name}_")])
    module = build_spec(lazy_variant(spec, registry=registry, path=path), registry=registry, path=path)
    if isinstance(module, nn.Module):
        return module
    message = f"this makes a {type(module).__name__}, and a model is made of torch modules"
    raise ConfigError([Problem("not-a-module", message, path)])
