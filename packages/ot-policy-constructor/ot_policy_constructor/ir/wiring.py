"""Checks how the calls of a graph hang together: what refers to what, what is made twice, what nobody uses."""

from __future__ import annotations

from offline_trainer_core import join_path
from ot_policy_constructor.ir.program import GraphIR, references
from ot_policy_constructor.ir.reading import Findings, nearest


def check_wiring(graph: GraphIR, findings: Findings) -> None:
    """Report forward and unknown references, names that are produced twice, and parts without effect."""
    _check_order(graph, findings)
    _check_node_names(graph, findings)
    _check_modules(graph, findings)
    if graph.outputs:
        _check_use(graph, findings)


def _check_order(graph: GraphIR, findings: Findings) -> None:
    later = {name: node.name for node in reversed(graph.nodes) for name in node.produces}
    made: dict[str, str] = {}
    for index, name in enumerate(graph.inputs):
        _make(name, "the inputs", join_path("inputs", index), made, findings)
    for node in graph.nodes:
        for path, name in node.needs:
            _check_reference(path, name, made, later, findings)
        for path, name in node.makes:
            _make(name, f"'{node.name}'", path, made, findings)
    for path, name in references(graph.outputs, "outputs"):
        _check_reference(path, name, made, {}, findings)


def _make(name: str, maker: str, path: str, made: dict[str, str], findings: Findings) -> None:
    if name in made:
        message = f"'{name}' is produced twice: {made[name]} made it before; every value has a name of its own"
        findings.add(path, "duplicate-name", message)
    made.setdefault(name, maker)


def _check_reference(path: str, name: str, made: dict[str, str], later: dict[str, str], findings: Findings) -> None:
    if name in made:
        return
    findings.excuse(f"${name}")
    if name in later:
        message = f"'${name}' is a forward reference: it is made by '{later[name]}', which runs later"
        findings.add(path, "forward-reference", message)
        return
    node_of_that_name = next((value for value, node in later.items() if node == name), None)
    hint = node_of_that_name or nearest(name, [*made, *later])
    findings.excuse(hint and f"${hint}")
    known = ", ".join(f"${value}" for value in made) or "none"
    message = f"there is no value '${name}'; at this point there are {known}"
    findings.add(path, "unknown-value", message, hint and f"${hint}")


def _check_node_names(graph: GraphIR, findings: Findings) -> None:
    first: dict[str, str] = {}
    for node in graph.nodes:
        if node.name in first and node.out != node.name:
            message = f"two nodes are named '{node.name}': the other one is {first[node.name]}"
            findings.add(node.path, "duplicate-name", message)
        first.setdefault(node.name, node.path)


def _check_modules(graph: GraphIR, findings: Findings) -> None:
    called = {node.target for node in graph.nodes if node.kind == "module"}
    for name in graph.modules:
        if name not in called and f"module:{name}" not in findings.excused:
            message = f"no node calls module '{name}': its parameters would never be trained; call it or take it out"
            findings.add(join_path("modules", name), "unused-module", message)


def _check_use(graph: GraphIR, findings: Findings) -> None:
    used = {name for _, name in references(graph.outputs, "outputs")}
    used |= {name[1:] for name in findings.excused if name.startswith("$")}
    for node in reversed(graph.nodes):
        if node.produces and used.isdisjoint(node.produces):
            message = f"nothing that the model returns depends on '{node.name}'; use its value or take the node out"
            findings.add(node.path, "unused-value", message)
        used |= {name for _, name in node.needs}
    for index, name in enumerate(graph.inputs):
        if name not in used:
            message = f"nothing uses the input '{name}'; use it or take it out"
            findings.add(join_path("inputs", index), "unused-input", message)
