"""Overrides from the command line: `path=value` sets, `+path=value` adds, `~path` deletes. Values are YAML.

`+` creates what is missing, appends where the path is a list (the items of a list value, or the value as one item),
and otherwise sets. Adding to a missing section that is a list, such as `+imports=extensions.x`, creates the list.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.merge import is_container, merge, settle
from offline_trainer_core.config.parse import parse_text
from offline_trainer_core.config.paths import join_path, scan_path, split_path
from offline_trainer_core.config.read import is_clean
from offline_trainer_core.config.rebuild import upon
from offline_trainer_core.config.secret_names import without_secrets
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode, child_of, is_unknown, walk
from offline_trainer_core.errors import UNKNOWN, Location
from offline_trainer_core.spelling import listing, nearest

__all__ = ["apply_overrides"]

_LIST_SECTIONS = ("imports", "plugins", "metrics", "callbacks", "loggers")
_Keys = tuple[str | int, ...]


class _Override(NamedTuple):
    text: str
    file: str
    """Its name in locations."""
    sign: str
    """`+`, `~` or empty."""
    keys: _Keys
    value: Node | None
    """What is assigned; None for a deletion."""
    is_refused: bool = False
    """Whether it is wrong in itself, which has been reported: then its value is not known."""

    @property
    def location(self) -> Location:
        return Location(self.file, 1, len(self.sign) + 1)

    def location_of_key(self, depth: int) -> Location:
        before = _joined(self.keys[:depth])
        return Location(self.file, 1, len(self.sign) + len(before) + (2 if before else 1))


def apply_overrides(root: MappingNode, overrides: Sequence[str], findings: Findings) -> MappingNode:
    """Return `root` with `overrides` applied from left to right; problems go to `findings`."""
    for number, text in enumerate(overrides, start=1):
        override = _read(text, f"<override {number}>", findings)
        if override is not None and _can_apply(root, override, findings):
            changed = _apply(root, override.keys, override, findings)
            assert isinstance(changed, MappingNode)
            root = changed
    return root


def _read(text: str, file: str, findings: Findings) -> _Override | None:
    findings.sources[file] = text
    if not is_clean(text, file, findings):
        return None
    sign = text[:1] if text[:1] in ("+", "~") else ""
    keys, end = scan_path(text[len(sign) :])
    end += len(sign)
    if not keys or text[end : end + 1] != ("" if sign == "~" else "="):
        if sign != "~" and ":" in text[len(sign) : end]:  # `path: value`, which a key may contain
            keys, end = scan_path(text[len(sign) : text.index(":")])
            end += len(sign)
        _report_form(text, file, end, sign, findings)
        return _refused(text, file, sign, keys) if keys else None
    if sign == "~":
        return _Override(text, file, sign, keys, None)
    before = len(findings.problems)
    value = parse_text(text[end + 1 :], file, findings, directive="override", column=end + 1)
    if len(findings.problems) > before:
        return _refused(text, file, sign, keys)
    nothing = ScalarNode(None, Location(file, 1, end + 2), 1, "override")
    return _Override(text, file, sign, keys, value or nothing)


def _report_form(text: str, file: str, end: int, sign: str, findings: Findings) -> None:
    shown, fix = without_secrets(text), None
    if sign == "~" and text[end : end + 1] == "=":
        fix = f"'{shown[:end]}': what is deleted has no value"
    elif text[end : end + 1] == ":" and sign != "~":
        fix = f"'{shown[:end]}={shown[end + 1 :].lstrip()}'"
    allowed = "path=value, +path=value, ~path; paths look like a.b[0].c"
    place = Location(file, 1, end + 1)
    findings.add("bad-override", f"'{shown}' is not an override", location=place, allowed=allowed, fix=fix)


def _refused(text: str, file: str, sign: str, keys: _Keys) -> _Override:
    return _Override(text, file, sign, keys, ScalarNode(UNKNOWN, Location(file, 1, 1), 1, "override"), True)


def _can_apply(root: MappingNode, override: _Override, findings: Findings) -> bool:
    """Return whether the path leads somewhere; report where it does not."""
    node: Node = root
    for depth, key in enumerate(override.keys):
        child = child_of(node, key)
        if child is None:
            if (override.sign == "+" or override.is_refused) and _can_create(node, override.keys[depth:]):
                return True
            is_open = is_unknown(node) or (isinstance(node, MappingNode) and not node.is_complete)
            if not (override.is_refused or is_open or findings.is_incomplete):
                _report_unknown(root, node, override, depth, findings)
            return False
        node = child
    return True


def _can_create(node: Node, missing: _Keys) -> bool:
    is_open = isinstance(node, MappingNode) or (isinstance(node, ScalarNode) and node.value is None)
    return is_open and all(isinstance(key, str) for key in missing)


def _apply(node: Node | None, keys: _Keys, override: _Override, findings: Findings, waits: bool = False) -> Node | None:
    """Return `node` with the override carried out at `keys` below it; None where that deletes it."""
    if not keys:
        return _assigned(node, override, findings, waits)
    key, depth = keys[0], len(override.keys) - len(keys)
    if isinstance(node, SequenceNode) and isinstance(key, int):
        index = key % len(node.items)
        changed = _apply(node.items[index], keys[1:], override, findings, waits)
        kept = () if changed is None else (changed,)
        return replace(node, items=(*node.items[:index], *kept, *node.items[index + 1 :]))
    assert isinstance(key, str)
    if not isinstance(node, MappingNode):
        node = MappingNode({}, override.location_of_key(max(0, depth - 1)), {}, "override", node)
    if override.is_refused and not override.sign and key not in node.items:
        return replace(node, is_complete=node.is_complete and depth == 0)  # it would have set something here
    waits = waits or "_template_" in node.items
    items, key_locations = dict(node.items), dict(node.key_locations)
    changed = _apply(items.get(key), keys[1:], override, findings, waits)
    if changed is None:
        del items[key]
        key_locations.pop(key, None)
    else:
        key_locations.setdefault(key, override.location_of_key(depth))
        items[key] = changed
    return replace(node, items=items, key_locations=key_locations)


def _assigned(node: Node | None, override: _Override, findings: Findings, waits: bool) -> Node | None:
    value, path = override.value, _joined(override.keys)
    if value is None:
        return None
    if is_container(value):
        return merge(node, value, findings, path, waits=waits)
    value = settle(value, path, findings, waits=waits)
    if override.sign == "+" and (isinstance(node, SequenceNode) or (node is None and path in _LIST_SECTIONS)):
        new = value.items if isinstance(value, SequenceNode) else (value,)
        old = node.items if isinstance(node, SequenceNode) else ()
        value = SequenceNode((*old, *new), value.location, "override")
    return upon(value, node)


def _report_unknown(root: MappingNode, node: Node, override: _Override, depth: int, findings: Findings) -> None:
    key, parent = override.keys[depth], _joined(override.keys[:depth])
    missing = join_path(parent, key)
    suggestion = allowed = None
    if isinstance(node, MappingNode):
        near = nearest(str(key), node.items)
        suggestion = join_path(parent, near) if near else _elsewhere(root, override.keys[-1])
        allowed = listing(node.items)
    elif isinstance(node, SequenceNode):
        count = len(node.items)
        suggestion = join_path(parent, int(key)) if isinstance(key, str) and key.isdecimal() else None
        allowed = f"the indices 0 to {count - 1}" if count else "nothing: the list is empty"
    else:
        allowed = f"nothing below '{parent}': it is a single value"
    findings.add(
        "unknown-path",
        f"there is no '{missing}' to {'delete' if override.sign == '~' else 'override'}",
        missing,
        location=override.location,
        width=len(_joined(override.keys)),
        suggestion=suggestion,
        allowed=allowed,
        fix=_fix(node, override, depth, suggestion),
    )


def _fix(node: Node, override: _Override, depth: int, suggestion: str | None) -> str | None:
    """Return the override as it should be typed."""
    value = override.text[len(override.sign) + len(_joined(override.keys)) :]
    if suggestion:
        rest = _joined(override.keys[depth + 1 :]) if split_path(suggestion)[-1] != override.keys[-1] else ""
        below = rest if not rest or rest.startswith("[") else f".{rest}"
        return shlex.quote(without_secrets(f"{override.sign}{suggestion}{below}{value}"))
    if override.sign == "" and _can_create(node, override.keys[depth:]):
        return f"{shlex.quote('+' + without_secrets(override.text))} adds it"
    return None


def _elsewhere(root: MappingNode, leaf: str | int) -> str | None:
    """Return the only path that ends in the key `leaf`, if there is just one: a section was forgotten."""
    if not isinstance(leaf, str):
        return None
    ending = join_path("x", leaf)[1:]
    found = [path for path, _ in walk(root) if path.endswith(ending)]
    return found[0] if len(found) == 1 else None


def _joined(keys: _Keys) -> str:
    path = ""
    for key in keys:
        path = join_path(path, key)
    return path
