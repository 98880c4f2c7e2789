"""The inside of a component: the graph of its definition, or the one module that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from ot_policy_constructor.graph import Graph
from ot_policy_constructor.inspection.drawing.scene import Box, Item, Kind, Link
from ot_policy_constructor.inspection.drawing.values import values_inside
from ot_policy_constructor.inspection.parameters import count
from ot_policy_constructor.inspection.recording import Recorder
from ot_policy_constructor.inspection.shapes import Value
from ot_policy_constructor.inspection.survey import Component
from ot_policy_constructor.ir import GraphIR, Node, Reference

__all__ = ["fill_with_graph", "fill_with_module"]

Values = Mapping[str, tuple[Value, ...]]


def fill_with_module(box: Box, component: Component) -> None:
    """Draw a network that is no graph as one module between what goes in and what comes out."""
    key = f"{component.name}/module"
    box.items[key] = _module_item(component.model, component.module.type, "", again=False)
    for value in component.module.inputs:
        _add_input(box, component.name, value.name, (value,))
        box.links.append(Link(box.inputs[-1], key))
    for value in component.module.outputs:
        _add_output(box, component.name, value.name, (value,))
        box.links.append(Link(key, box.outputs[-1]))


def fill_with_graph(box: Box, component: Component, model: Graph, seen: tuple[Recorder, Recorder]) -> None:
    """Draw the calls of a graph model, with the shape of every value on its way from one call to the next."""
    ir: GraphIR = model._ir
    values = values_inside(model, seen)
    home: dict[str, str] = {}
    """For every value the item from which its arrows leave."""
    for name in ir.inputs:
        home[name] = _add_input(box, component.name, name, values.get(name, ()))
    outputs = dict(ir.outputs.items() if isinstance(ir.outputs, Mapping) else enumerate(ir.outputs))
    inner = {name for node in ir.nodes for _, name in node.needs}
    called: set[str] = set()
    for number, node in enumerate(ir.nodes):
        key = f"{component.name}/node/{number}"
        box.items[key] = _node_item(node, model, ir, again=node.target in called)
        called.add(node.target)
        box.links += [Link(home[name], key) for name in dict.fromkeys(name for _, name in node.needs)]
        for name in node.produces:
            home[name] = _add_value(box, key, name, node, values) if name in inner else key
    single = len(outputs) == 1 and ir.returns == "single"
    for place, reference in outputs.items():
        shapes = values.get(reference.name, ())
        for value in shapes:
            path = ".".join(part for part in ("" if single else str(place), value.name) if part)
            port = _add_output(box, component.name, path, (value,), title=path or reference.name)
            box.links.append(Link(home[reference.name], port))


def _add_input(box: Box, component: str, name: str, values: tuple[Value, ...]) -> str:
    names = [f"{name}.{value.name}" if value.name and value.name != name else name for value in values] or [name]
    # A nest of tensors is one input of the graph, and every tensor of it is linked on its own.
    for part, value in zip(names, values or (None,), strict=True):
        key = f"{component}/in/{part}"
        box.items[key] = Item("port", (part,) if value is None else (part, value.label))
        box.inputs.append(key)
    return f"{component}/in/{names[0]}"


def _add_output(box: Box, component: str, path: str, values: tuple[Value, ...], title: str = "") -> str:
    key = f"{component}/out/{path}"
    box.items[key] = Item("port", (title or path or "output", *(value.label for value in values)))
    box.outputs.append(key)
    return key


def _add_value(box: Box, source: str, name: str, node: Node, values: Values) -> str:
    """Put the shape of a value between the call that makes it and those that take it."""
    shapes = ", ".join(f"{value.name} {value.label}".strip() for value in values.get(name, ()))
    if not shapes:
        return source
    key = f"{source}/{name}"
    box.items[key] = Item("value", (shapes if isinstance(node.out, str) else f"{name} {shapes}",))
    box.links.append(Link(source, key))
    return key


def _node_item(node: Node, model: Graph, ir: GraphIR, *, again: bool) -> Item:
    if node.kind == "op":
        return Item("operation", (_operation(node),))
    spec = ir.modules[node.target]
    kind = str(spec.get("_type_") or spec["_target_"])
    return _module_item(
        model.get_submodule(node.target), kind, "" if node.target.isdigit() else node.target, again=again
    )


def _module_item(module: nn.Module, kind: str, name: str, *, again: bool) -> Item:
    parameters = count([module])
    state: Kind = "frozen" if parameters.total and not parameters.trainable else "module"
    size = "same weights as above" if again and parameters.total else f"{parameters.total:,} parameters"
    lines = [name, kind] if name else [kind]
    return Item(state, (*lines, size) if parameters.total else tuple(lines))


def _operation(node: Node) -> str:
    """Return an operation as a reader of the definition knows it, with those arguments that are no values."""
    literals = [repr(value) for value in node.args if not _refers(value)]
    literals += [f"{name}={value!r}" for name, value in node.kwargs.items() if not _refers(value)]
    name = node.target.removeprefix("op.")
    return f"{name}({', '.join(literals)})" if literals else name


def _refers(value: Any) -> bool:
    """Whether a value goes in at this argument."""
    if isinstance(value, Mapping):
        return any(map(_refers, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_refers, value))
    return isinstance(value, Reference)
