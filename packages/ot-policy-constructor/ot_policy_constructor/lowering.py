"""Lowers a graph's intermediate representation to `torch.fx`, which writes the straight-line code that runs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from torch import fx

from ot_policy_constructor.ir import GraphIR, Node, substitute

Operation = Callable[..., Any]


def lower(ir: GraphIR, ops: Mapping[str, Operation]) -> fx.Graph:
    """Return `ir` as an fx graph. `ops` has the function for every operation key."""
    graph = fx.Graph()
    values: dict[str, fx.Node] = {name: graph.placeholder(name) for name in ir.inputs}
    for node in ir.nodes:
        _lower_node(graph, node, values, ops)
    outputs = substitute(ir.outputs, values.__getitem__)
    graph.output(outputs[0] if ir.returns == "single" else outputs)
    graph.lint()
    return graph


def unpack(value: Any, names: tuple[str, ...]) -> Any:
    """Return `value` if it has as many parts as there are names: what `out: [a, b]` checks.

    Raises `ValueError` otherwise, and on a tensor, whose parts would be rows of the batch.
    """
    if isinstance(value, (tuple, list)):
        if len(value) == len(names):
            return value
        found = f"{len(value)} parts"
    elif isinstance(value, fx.Proxy):
        return value
    else:
        found = f"one {type(value).__name__}"
    raise ValueError(f"'out' has {len(names)} names ({', '.join(names)}), and there came {found}")


def _lower_node(graph: fx.Graph, node: Node, values: dict[str, fx.Node], ops: Mapping[str, Operation]) -> None:
    args, kwargs = substitute((node.args, dict(node.kwargs)), values.__getitem__)
    if node.kind == "module":
        call = graph.create_node("call_module", node.target, args, kwargs, name=node.name)
    else:
        call = graph.create_node("call_function", ops[node.target], args, kwargs, name=node.name)
    call.meta["node"] = node
    if isinstance(node.out, str):
        values[node.out] = call
        return
    if isinstance(node.out, tuple):
        call = graph.call_function(unpack, (call, node.out))
        call.meta["node"] = node
    parts = node.out.items() if isinstance(node.out, Mapping) else enumerate(node.out)
    for key, name in parts:
        values[name] = graph.create_node("call_function", operator.getitem, (call, key), name=name)
        values[name].meta["node"] = node
