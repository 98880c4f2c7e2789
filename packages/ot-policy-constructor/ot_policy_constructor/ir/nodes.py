"""Reads the calls of a graph, in the three forms that an author may write them in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from offline_trainer_core import join_path
from ot_policy_constructor.ir.program import Kind, Node
from ot_policy_constructor.ir.reading import Findings, describe, nearest
from ot_policy_constructor.ir.values import read_arguments

NODE_KEYS = ("name", "call", "args", "kwargs", "out")
CALL = re.compile(r"(module|op):(\S+)")

Entry = tuple[str, Any, str | None]
"""Where a node stands, what was written there, and its name where that is not written inside."""


def read_nodes(source: Mapping[str, Any], modules: Mapping[str, Any], findings: Findings) -> tuple[Node, ...]:
    """Return the calls in the order in which they run."""
    return tuple(_read_node(entry, modules, findings) for entry in _entries(source, findings))


def _entries(source: Mapping[str, Any], findings: Findings) -> Iterator[Entry]:
    given = [key for key in ("nodes", "steps") if key in source]
    if not given:
        findings.add("", "missing-key", "a graph needs 'nodes' or 'steps': the calls it makes")
    elif len(given) == 2:
        findings.add("steps", "conflicting-keys", "a graph has 'nodes' or 'steps', not both")
    named = given and isinstance(source[given[0]], Mapping) and given[0] == "nodes"
    if "order" in source and not named:
        findings.add("order", "conflicting-keys", "'order' goes with 'nodes' as a mapping; a list has its order")
    for key in given:
        if key == "nodes" and isinstance(source[key], Mapping):
            yield from _ordered(source, findings)
        else:
            for index, item in enumerate(findings.sequence(source[key], key, f"'{key}'")):
                yield join_path(key, index), item, None


def _ordered(source: Mapping[str, Any], findings: Findings) -> Iterator[Entry]:
    nodes: Mapping[str, Any] = source["nodes"]
    if "order" not in source:
        findings.add("nodes", "missing-key", "'nodes' as a mapping needs 'order': the names in the order of the calls")
        order = list(nodes)
    else:
        order = _read_order(source["order"], nodes, findings)
    for name in order:
        yield join_path("nodes", name), nodes[name], name


def _read_order(value: Any, nodes: Mapping[str, Any], findings: Findings) -> list[str]:
    order: list[str] = []
    for index, name in enumerate(findings.sequence(value, "order", "'order'")):
        if name not in nodes:
            hint = nearest(str(name), nodes)
            findings.add(join_path("order", index), "unknown-node", f"there is no node '{name}'", hint)
        elif name in order:
            findings.add(join_path("order", index), "duplicate-name", f"'{name}' stands in 'order' twice")
        else:
            order.append(name)
    missing = [name for name in nodes if name not in order]
    if missing:
        findings.add("order", "missing-node", f"'order' leaves out {', '.join(missing)}")
    return order + missing


def _read_node(entry: Entry, modules: Mapping[str, Any], findings: Findings) -> Node:
    path, raw, name = entry
    fields = findings.mapping(raw, path, "a node", NODE_KEYS)
    if not isinstance(raw, Mapping):
        return Node(name or path, path, "op", "", (), {}, name or ())
    if "name" in fields:
        if name is not None:
            findings.add(f"{path}.name", "conflicting-keys", f"the node's name is its key, '{name}'")
        name = findings.name(fields["name"], f"{path}.name", "the name of a node")
    elif name is not None:
        findings.name(name, path, "the name of a node")
    out = _read_out(fields, path, name, findings)
    kind, target = _read_call(fields, path, modules, findings)
    args, kwargs = read_arguments(fields, path, findings)
    out_path = next((f"{path}.{key}" for key in ("out", "name") if key in fields), path)
    node = Node(name or "", path, kind, target, args, kwargs, out, out_path)
    return node if name else node._replace(name="_".join(node.produces) or path)


def _read_call(
    fields: Mapping[str, Any], path: str, modules: Mapping[str, Any], findings: Findings
) -> tuple[Kind, str]:
    call = fields.get("call")
    path = f"{path}.call" if "call" in fields else path
    match = CALL.fullmatch(call) if isinstance(call, str) else None
    if call is None:
        findings.add(path, "missing-key", "a node needs 'call': module:<name> or op:<key>")
    elif match is None:
        module = nearest(str(call), modules)
        findings.excuse(module and f"module:{module}")
        message = f"'call' is module:<name> or op:<key>, not {describe(call)}"
        findings.add(path, "bad-call", message, f"module:{module}" if module else f"op:{call}")
    elif match[1] == "op":
        return "op", f"op.{match[2]}"
    else:
        if match[2] not in modules:
            module = nearest(match[2], modules)
            meant = module and f"module:{module}"
            findings.excuse(meant)
            known = ", ".join(modules) or "none"
            findings.add(path, "unknown-module", f"there is no module '{match[2]}'; there are: {known}", meant)
        return "module", match[2]
    return "op", ""


def _read_out(
    fields: Mapping[str, Any], path: str, name: str | None, findings: Findings
) -> str | tuple[str, ...] | Mapping[str, str]:
    if "out" not in fields:
        if path.startswith("steps"):
            findings.add(path, "missing-key", "a step needs 'out': the name of its value")
        elif name is None:
            findings.add(path, "missing-key", "a node needs a 'name', or 'out': the name of its value")
        return name or ()
    out, path = fields["out"], f"{path}.out"
    if isinstance(out, Mapping) and out:
        return {key: findings.name(value, join_path(path, str(key)), "a value") for key, value in out.items()}
    if isinstance(out, (list, tuple)) and out:
        return tuple(findings.name(value, join_path(path, index), "a value") for index, value in enumerate(out))
    if isinstance(out, str):
        return findings.name(out, path, "a value")
    message = f"'out' is a name, a list of names or a mapping from output key to name, not {describe(out)}"
    findings.add(path, "wrong-type", message)
    return name or ()
