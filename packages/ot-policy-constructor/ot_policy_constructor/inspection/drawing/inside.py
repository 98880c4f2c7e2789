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
    box.items[key] = _module_item(component.model, component.module.type, "", frozen=box.frozen)
    for value in component.module.inputs:
        box.links.append(Link(_add_input(box, component.name, value), key))
    for value in component.module.outputs:
        box.links.append(Link(key, _add_output(box, component.name, value, value.name or "output")))


def fill_with_graph(box: Box, component: Component, model: Graph, seen: tuple[Recorder, Recorder]) -> None:
    """Draw the calls of a graph model, with the shape of every value on its way from one call to the next."""
    ir: GraphIR = model._ir
    values = values_inside(model, seen)
    home: dict[str, list[str]] = {}
    """For every value the items from which its arrows leave: one for each of its tensors where it is an input."""
    for name in ir.inputs:
        parts = [value._replace(name=f"{name}.{value.name}".rstrip(".")) for value in values.get(name, ())]
        home[name] = [_add_input(box, component.name, value) for value in parts]
    outputs = dict(ir.outputs.items() if isinstance(ir.outputs, Mapping) else enumerate(ir.outputs))
    inner = {name for node in ir.nodes for _, name in node.needs}
    called: set[str] = set()
    for number, node in enumerate(ir.nodes):
        key = f"{component.name}/node/{number}"
        box.items[key] = _node_item(node, model, frozen=box.frozen, again=node.target in called)
        called.add(node.target)
        needed = dict.fromkeys(name for _, name in node.needs)
        box.links += [Link(source, key) for name in needed for source in home[name]]
        for name in node.produces:
            home[name] = [_add_value(box, key, name, node, values) if name in inner else key]
    single = len(outputs) == 1 and ir.returns == "single"
    is_chain = all(name.isdigit() for name in ir.modules)  # whose values have no names of their own
    for place, reference in outputs.items():
        for value in values.get(reference.name, ()):
            path = ".".join(part for part in ("" if single else str(place), value.name) if part)
            title = path or ("output" if is_chain else reference.name)
            port = _add_output(box, component.name, value._replace(name=path), title)
            box.links += [Link(source, port) for source in home[reference.name]]


def _add_input(box: Box, component: str, value: Value) -> str:
    key = f"{component}/in/{value.name}"
    box.items[key] = Item("port", (value.name, value.label))
    box.inputs.append(key)
    return key


def _add_output(box: Box, component: str, value: Value, title: str) -> str:
    key = f"{component}/out/{value.name}"
    box.items[key] = Item("port", (title, value.label))
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


def _node_item(node: Node, model: Graph, *, frozen: bool, again: bool) -> Item:
    if node.kind == "op":
        return Item("operation", (_operation(node),))
    spec = model._ir.modules[node.target]
    kind = str(spec.get("_type_") or spec["_target_"])
    name = "" if node.target.isdigit() else node.target
    return _module_item(model.get_submodule(node.target), kind, name, frozen=frozen, again=again)


def _module_item(module: nn.Module, kind: str, name: str, *, frozen: bool, again: bool = False) -> Item:
    parameters = count([module])
    state: Kind = "frozen" if frozen or (parameters.total and not parameters.trainable) else "module"
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
