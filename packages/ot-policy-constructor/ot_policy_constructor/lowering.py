"""Lowers a graph's intermediate representation to `torch.fx`, which writes the straight-line code that runs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import partial
from inspect import Signature
from typing import Any

from torch import fx

from offline_trainer_core import ComponentError
from ot_policy_constructor import ops
from ot_policy_constructor.ir import GraphIR, Node, substitute

Operation = Callable[..., Any]


def lower(ir: GraphIR, operations: Mapping[str, Operation]) -> fx.Graph:
    """Return `ir` as an fx graph. `operations` has the function for every operation key."""
    graph = fx.Graph()
    values: dict[str, fx.Node] = {}
    for name in ir.inputs:
        default = None if name in ir.optional else Signature.empty
        values[name] = graph.placeholder(name, default_value=default)
    for node in ir.nodes:
        _lower_node(graph, node, values, operations)
    outputs = substitute(ir.outputs, values.__getitem__)
    graph.output(outputs[0] if ir.returns == "single" else outputs)
    graph.lint()
    return graph


def unpack(value: Any, names: tuple[str, ...]) -> Any:
    """Return `value` if it has as many parts as there are names: what `out: [a, b]` checks.

    Raises `ComponentError` otherwise, and on a tensor, whose parts would be rows of the batch.
    """
    if isinstance(value, (tuple, list)):
        if len(value) == len(names):
            return value
        found = f"{len(value)} parts"
    elif isinstance(value, fx.Proxy):
        return value
    else:
        found = f"one {type(value).__name__}"
    raise ComponentError(f"'out' has {len(names)} names ({', '.join(names)}), and there came {found}")


class _Inliner(fx.proxy.GraphAppendingTracer):
    """Records what an operation does to proxies, under the name of its node."""

    def __init__(self, graph: fx.Graph, name: str) -> None:
        super().__init__(graph)
        self.name = name

    def create_node(self, kind: str, target: fx.node.Target, args: Any, kwargs: Any, *_: Any, **__: Any) -> fx.Node:
        return self.graph.create_node(kind, target, args, kwargs, name=self.name)


def _as_proxy(tracer: fx.proxy.TracerBase, value: Any) -> Any:
    return fx.Proxy(value, tracer) if isinstance(value, fx.Node) else value


def _inlined(graph: fx.Graph, name: str, operation: Operation, args: Any, kwargs: Any) -> fx.Node:
    """Write the one line of torch that an operation of ours is; other operations, and what is not one line, are called.

    A call of Python would cost as much as a twentieth of a small operation of torch.
    """
    if operation.__module__ == ops.__name__:
        before = len(graph.nodes)
        tracer = _Inliner(graph, name)
        proxied: Any = fx.node.map_aggregate((args, kwargs), partial(_as_proxy, tracer))
        try:
            made = operation(*proxied[0], **proxied[1])
        except Exception:  # what is wrong with a call is said when it is made
            made = None
        if isinstance(made, fx.Proxy) and len(graph.nodes) == before + 1:
            return made.node
        for node in list(graph.nodes)[: before - 1 : -1]:
            graph.erase_node(node)
    return graph.create_node("call_function", operation, args, kwargs, name=name)


def _lower_node(graph: fx.Graph, node: Node, values: dict[str, fx.Node], operations: Mapping[str, Operation]) -> None:
    args, kwargs = substitute((node.args, dict(node.kwargs)), values.__getitem__)
    if node.kind == "module":
        call = graph.create_node("call_module", node.target, args, kwargs, name=node.name)
    else:
        call = _inlined(graph, node.name, operations[node.target], args, kwargs)
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
