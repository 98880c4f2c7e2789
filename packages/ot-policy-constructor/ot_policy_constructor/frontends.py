"""What stands behind `model: {sequential: ...}` and `model: {graph: ...}`: a definition becomes a module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from offline_trainer_core import join_path
from ot_policy_constructor.graph import Graph
from ot_policy_constructor.ir import GraphIR, compile_graph, compile_sequential
from ot_policy_constructor.modules import build_modules, check_components, find_operations


def graph(definition: Mapping[str, Any], *, registry: Any, path: str = "model.graph") -> nn.Module:
    """Build a directed acyclic graph of modules and operations: `{inputs, modules, nodes | steps, outputs, return}`.

    The model is called with its inputs by name, or by position in their order. `path` is where the definition stands
    in the configuration, for messages. Raises `ConfigError` with everything that is wrong with the definition.
    """
    ir = compile_graph(definition, path)
    return _assemble(ir, {name: join_path("modules", name) for name in ir.modules}, registry, path)


def sequential(definition: Mapping[str, Any], *, registry: Any, path: str = "model.sequential") -> nn.Module:
    """Build a chain of layers: `{inputs: [x], layers: [spec, ...], return}`.

    The `state_dict` has the names of `nn.Sequential`: `0.weight`, `0.bias`, ... Else as `graph`.
    """
    ir = compile_sequential(definition, path).as_graph()
    return _assemble(ir, {name: f"layers[{name}]" for name in ir.modules}, registry, path)


def _assemble(ir: GraphIR, places: Mapping[str, str], registry: Any, path: str) -> nn.Module:
    paths = {name: f"{path}.{place}" for name, place in places.items()}
    check_components(ir, registry=registry, paths=paths, path=path)
    modules = build_modules(ir.modules, registry=registry, paths=paths)
    return Graph(ir, modules, find_operations(ir, registry=registry), path)
