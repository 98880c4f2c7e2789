"""The shapes of all values inside a graph model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx

from ot_policy_constructor.graph import Graph
from ot_policy_constructor.inspection.passes import quiet
from ot_policy_constructor.inspection.recording import Recorder, named_arguments
from ot_policy_constructor.inspection.shapes import TensorFact, Value, facts_of, values_of
from ot_policy_constructor.ir import Node
from ot_policy_constructor.lowering import lower

__all__ = ["values_inside"]


def values_inside(model: Graph, seen: tuple[Recorder, Recorder]) -> dict[str, tuple[Value, ...]]:
    """Return the tensors of every named value of `model`, from running it again on what it was given."""
    with quiet({"model": model}, "validate"):
        first, second = (_run(model, recorder) for recorder in seen)
    return {name: values_of(first[name], second[name]) for name in first}


def _run(model: Graph, recorder: Recorder) -> dict[str, list[TensorFact]]:
    args, kwargs = recorder.arguments
    given = named_arguments(model, args, kwargs)
    watcher = _Watcher(fx.GraphModule(model, lower(model._ir, model._ops)))
    watcher.run(*(given[name] for name in model._ir.inputs))
    return {name: recorder.instruments.facts(value) for name, value in watcher.values.items()}


class _Watcher(fx.Interpreter):
    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[str, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        name = _name(n)
        if name is not None and facts_of(value):
            self.values[name] = value
        return value


def _name(call: fx.Node) -> str | None:
    """Return how the definition names the value of `call`; None for one that it takes apart."""
    if call.op == "placeholder":
        return str(call.target)
    node: Node | None = call.meta.get("node")
    if node is None or isinstance(node.out, str):
        return None if node is None else str(node.out)
    parts: Mapping[Any, str] = node.out if isinstance(node.out, Mapping) else dict(enumerate(node.out))
    is_part = len(call.args) == 2 and "getitem" in str(call.target)
    return parts.get(call.args[1]) if is_part else None
