"""Merging: mappings merge deeply, lists replace, and a merge container says otherwise.

A merge container is `{_merge_: replace | append | prepend | keyed, _value_: ..., key: <field>}`. Where there is nothing
below it, its value is the result. Below a `_template_` it waits, and merges with what the template has there.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.paths import join_path
from offline_trainer_core.config.rebuild import upon, with_collections
from offline_trainer_core.config.tree import (
    MappingNode,
    Node,
    Scalar,
    ScalarNode,
    SequenceNode,
    has_unknown,
    is_unknown,
    unknown,
)
from offline_trainer_core.spelling import nearest

__all__ = ["is_container", "merge", "settle"]

_MODES = ("replace", "append", "prepend", "keyed")
_KEYS = ("_merge_", "_value_", "key")


def merge(base: Node | None, over: Node, findings: Findings, path: str = "", *, waits: bool = False) -> Node:
    """Return `over` merged over `base`: the later layer wins.

    `waits` says that a template will come below `over`, so that its merge containers must not be carried out yet.
    """
    if over is base:
        return over
    if base is None:
        return settle(over, path, findings, waits=waits)
    if is_unknown(base):
        return _onto_unknown(settle(over, path, findings, waits=waits), base)
    if is_container(base) and isinstance(over, MappingNode):
        return _merge_onto_waiting(base, over, findings, path)
    if is_container(over):
        return _carry_out(over, base, findings, path)
    if isinstance(base, MappingNode) and isinstance(over, MappingNode):
        return _merge_mappings(base, over, findings, path, waits)
    return upon(settle(over, path, findings, waits=waits), base)


def settle(node: Node, path: str, findings: Findings, *, waits: bool = False) -> Node:
    """Return `node` with its merge containers carried out over nothing, but for those that wait for a template."""
    if is_container(node):
        return node if waits else _carry_out(node, None, findings, path)
    waits = waits or _has_template(node)
    return with_collections(node, path, partial(settle, findings=findings, waits=waits))


def is_container(node: Node) -> bool:
    """Return whether `node` is a merge container."""
    return isinstance(node, MappingNode) and "_merge_" in node.items


def _has_template(node: Node) -> bool:
    return isinstance(node, MappingNode) and "_template_" in node.items


def _merge_mappings(base: MappingNode, over: MappingNode, findings: Findings, path: str, waits: bool) -> Node:
    waits = waits or _has_template(base) or _has_template(over)
    items = dict(base.items)
    for key, node in over.items.items():
        below = items.get(key)
        if below is None and type(node) is ScalarNode:
            items[key] = node
        else:
            items[key] = merge(below, node, findings, join_path(path, key), waits=waits)
    places = {**base.key_locations, **over.key_locations}
    is_complete = base.is_complete and over.is_complete
    merged = replace(over, items=items, key_locations=places, is_complete=is_complete)
    return upon(merged, base)


def _onto_unknown(over: Node, base: Node) -> Node:
    """Return `over` where a problem leaves open what stood below it."""
    is_merged = isinstance(over, SequenceNode) and over.directive.startswith("merge ")
    if isinstance(over, MappingNode) and over.directive != "merge replace":
        over = replace(over, is_complete=False)
    elif is_merged and over.directive != "merge replace":
        return upon(unknown(over), base)
    return upon(over, base)


def _merge_onto_waiting(base: Node, over: MappingNode, findings: Findings, path: str) -> Node:
    """Return `over` where `base` is a container that waits for its template: only a replacement is well defined."""
    mode = over.get("_merge_")
    if not (isinstance(mode, ScalarNode) and mode.value == "replace"):
        message = "this merges with a merge container that itself waits for its template"
        fix = "say '_merge_: replace' here, or merge in one of the two files only"
        findings.at(over, "bad-merge", message, path, fix=fix)
    return upon(over, base)


class _Container(NamedTuple):
    mode: str
    value: Node
    field: str


def _carry_out(node: Node, base: Node | None, findings: Findings, path: str) -> Node:
    """Return what the merge container `node` makes of `base`."""
    container = _read_container(node, findings, path)
    if container is None:
        return unknown(node) if base is None else upon(unknown(node), base)
    value = container.value
    if container.mode != "keyed" or is_container(value):  # keyed items settle as they meet the items that they match
        value = settle(value, path, findings)
    directive = f"merge {container.mode}"
    if container.mode == "replace":
        return upon(replace(value, directive=directive), base)
    if not isinstance(value, SequenceNode):
        if not is_unknown(value):
            findings.at(value, "bad-merge", f"'{container.mode}' needs a list as its '_value_'", path)
        return unknown(value)
    if base is not None and not isinstance(base, SequenceNode):
        note = f"there is {_noun(base)} at {base.location or 'that place'}"
        message = f"'{container.mode}' needs a list to merge with"
        findings.at(node, "bad-merge", message, path, notes=(note,), fix="say '_merge_: replace' to replace it")
        return upon(unknown(node), base)
    below = base.items if base is not None else ()
    if container.mode == "keyed":
        items = _merge_keyed(below, value.items, container.field, findings, path)
    else:
        items = (*below, *value.items) if container.mode == "append" else (*value.items, *below)
    return upon(replace(value, items=items, directive=directive), base)


def _read_container(node: Node, findings: Findings, path: str) -> _Container | None:
    """Return the parts of a merge container, or None after reporting everything that is wrong with it."""
    assert isinstance(node, MappingNode)
    before = len(findings.problems)
    meant = set()
    for key in node.items:
        if key not in _KEYS:
            near = nearest(key, (name for name in _KEYS if name not in node.items))
            meant.add(near)
            message = f"'{key}' cannot stand in a merge container"
            at = node.key_locations.get(key)
            findings.add(
                "bad-merge",
                message,
                path,
                location=at,
                width=len(key),
                suggestion=near,
                allowed=", ".join(_KEYS),
            )
    mode = _text(node, "_merge_")
    if mode not in _MODES and not is_unknown(node.items["_merge_"]):
        suggestion = nearest(mode, _MODES) if mode else None
        message = "this is no way to merge"
        findings.at(node.items["_merge_"], "bad-merge", message, path, suggestion=suggestion, allowed=", ".join(_MODES))
    if "_value_" not in node.items and "_value_" not in meant:
        findings.at(node, "bad-merge", "a merge container needs a '_value_'", path)
    field = _text(node, "key")
    if mode == "keyed" and not field and "key" not in meant:
        message = "'keyed' needs 'key': the field by which items are matched"
        findings.at(node, "bad-merge", message, path, fix="add 'key: name'")
    elif mode in _MODES and mode != "keyed" and "key" in node.items:
        findings.at(node.items["key"], "bad-merge", f"'key' goes with 'keyed' only, not with '{mode}'", path)
    if (
        len(findings.problems) > before or mode not in _MODES or "_value_" not in node.items
    ):  # a full report takes no more
        return None
    return _Container(mode, node.items["_value_"], field)


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.value if isinstance(value, ScalarNode) and isinstance(value.value, str) else ""


def _merge_keyed(
    base: tuple[Node, ...], over: tuple[Node, ...], field: str, findings: Findings, path: str
) -> tuple[Node, ...]:
    """Return the items of `base` with those of `over` that have the same `field` merged into them, others after."""
    merged = _by_field(base, field, findings, path)
    for value, item in _by_field(over, field, findings, path).items():
        merged[value] = merge(merged.get(value), item, findings, f"{path}[{field}={value[1]}]")
    return tuple(merged.values())


def _report_without_field(item: Node, field: str, findings: Findings, path: str) -> None:
    message = f"'keyed' needs items with the field '{field}', and this has none"
    written = nearest(field, item.items) if isinstance(item, MappingNode) else None
    if isinstance(item, MappingNode) and written is not None and written in item.key_locations:
        location, width = item.key_locations[written], len(written)
        findings.add("bad-merge", message, path, location=location, width=width, suggestion=field)
    else:
        findings.at(item, "bad-merge", message, path)


def _by_field(items: tuple[Node, ...], field: str, findings: Findings, path: str) -> dict[tuple[type, Scalar], Node]:
    found: dict[tuple[type, Scalar], Node] = {}
    for index, item in enumerate(items):
        place = join_path(path, index)
        key = item.get(field) if isinstance(item, MappingNode) else None
        if not isinstance(key, ScalarNode):
            if not has_unknown(item):
                _report_without_field(item, field, findings, place)
            found[type(item), id(item)] = item
            continue
        value = (type(key.value), key.value)
        if value in found:
            message = f"two items have {field}: {key.value!r}, and 'keyed' needs them to differ"
            findings.at(key, "bad-merge", message, place, notes=(f"the other stands at {found[value].location}",))
            continue
        found[value] = item
    return found


def _noun(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping"
    return "null" if isinstance(node, ScalarNode) and node.value is None else "a single value"
