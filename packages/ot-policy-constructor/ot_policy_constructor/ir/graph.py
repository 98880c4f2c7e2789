"""Reads a graph definition: `{inputs, modules, nodes | steps, outputs, return}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ot_policy_constructor.ir.interface import read_inputs, read_optional_inputs, read_outputs
from ot_policy_constructor.ir.nodes import read_nodes
from ot_policy_constructor.ir.program import GraphIR
from ot_policy_constructor.ir.reading import Findings, Reading
from ot_policy_constructor.ir.specs import read_modules
from ot_policy_constructor.ir.wiring import check_wiring

GRAPH_KEYS = ("inputs", "modules", "nodes", "order", "steps", "outputs", "return")


def parse_graph(definition: Any, findings: Findings) -> GraphIR:
    """Return the graph that `definition` describes. It holds only where nothing was found wrong."""
    source = findings.mapping(definition, "", "a graph", GRAPH_KEYS)
    source, optional = read_optional_inputs(source, findings)
    inputs = read_inputs(source, findings)
    modules = read_modules(source.get("modules", {}), findings)
    nodes = read_nodes(source, modules, findings)
    outputs, returns = read_outputs(source, findings)
    graph = GraphIR(inputs, modules, nodes, outputs, returns, optional)
    check_wiring(graph, findings)
    return graph


def read_graph(definition: Any) -> Reading:
    """Return what can be known of a graph model without building it: inputs, operations, problems."""
    findings = Findings()
    graph = parse_graph(definition, findings)
    operations = [node for node in graph.nodes if node.kind == "op" and node.target]
    calls = tuple((f"{node.path}.call", node.target) for node in operations)
    hands = tuple((f"{node.path}.kwargs", node.target, tuple(node.kwargs)) for node in operations)
    outputs = tuple(graph.outputs) if isinstance(graph.outputs, Mapping) else None
    return Reading(graph.inputs or None, calls, tuple(findings.items), outputs, hands, graph.optional)
