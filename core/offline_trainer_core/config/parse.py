"""YAML text to located nodes: strict about keys, tags and sizes, and lenient about nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.limits import MAX_SCALAR, Extent, excess
from offline_trainer_core.config.scalars import plain_value
from offline_trainer_core.config.secret_names import secrets_in, without_secrets
from offline_trainer_core.config.syntax import PLAIN, TEXT, ExcessError, compose_text
from offline_trainer_core.config.tree import MappingNode, Node, Scalar, ScalarNode, SequenceNode, unknown
from offline_trainer_core.errors import UNKNOWN, Location

__all__ = ["parse_text"]

_TAG_TYPES: dict[str, tuple[type, ...]] = {
    "tag:yaml.org,2002:null": (type(None),),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
}
_STR, _SEQ, _MAP = (f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))


def parse_text(text: str, file: str, findings: Findings, *, directive: str = "file", column: int = 0) -> Node | None:
    """Return the document in `text`, or None if it is empty or wrong; what is wrong goes to `findings`.

    `file` names the text in locations. `column` is how many characters of its first line stand before `text`.
    """
    try:
        root = compose_text(text)
    except ExcessError as error:
        findings.add(*error.problem, location=_location(error.mark, file, column))
    except yaml.YAMLError as error:
        _report_syntax(error, text, file, findings, column)
    else:
        if root is not None:
            return _Reading(file, findings, directive, column).whole(root)
    return None


def _report_syntax(error: yaml.YAMLError, text: str, file: str, findings: Findings, column: int) -> None:
    from offline_trainer_core.config.mistakes import explain  # only who makes one pays for it

    found = explain(text, error)
    where = Location(file, found.line + 1, found.column + 1 + (column if found.line == 0 else 0))
    if "another document" in str(error):
        fix = "keep one document in a file and compose several files with 'defaults:'"
        findings.add("multiple-documents", "a second document begins here", location=where, fix=fix)
    else:
        mended = without_secrets(found.fix) if found.fix else None
        findings.add("yaml-syntax", found.message, location=where, width=found.width, fix=mended)


def _location(mark: Any, file: str, column: int) -> Location:
    return Location(file, mark.line + 1, mark.column + 1 + (column if mark.line == 0 else 0))


class _StopError(Exception):
    """The text is too large or too deep to go on with; it has been reported."""


class _Reading:
    """Turns PyYAML's nodes into ours. An alias gives the very node of its anchor."""

    def __init__(self, file: str, findings: Findings, directive: str, column: int) -> None:
        self.file = file
        self.findings = findings
        self.directive = directive
        self.column = column
        self.extent = Extent()
        self.nodes: dict[int, Node | None] = {}
        """By the id of PyYAML's node; None while it is being read."""

    def whole(self, root: yaml.Node) -> Node | None:
        try:
            return self.node(root, 0)
        except _StopError:
            return None

    def node(self, node: Any, depth: int) -> Node:
        if type(node) is yaml.ScalarNode:
            return self.scalar(node)
        if id(node) in self.nodes:
            return self.alias(node)
        self.nodes[id(node)] = None
        is_tagged = node.tag not in (PLAIN, _SEQ if type(node) is yaml.SequenceNode else _MAP)
        if is_tagged:
            self.report_tag(node)
        location = self.place(node.start_mark)
        read: Node
        if type(node) is yaml.SequenceNode:
            items = tuple([self.node(item, depth + 1) for item in node.value])
            read = SequenceNode(items, location, self.directive)
        else:
            read = self.mapping(node, location, depth)
        self.nodes[id(node)] = read
        size, height = self.extent.of(read)
        if problem := excess(size, depth + height):
            self.findings.add(*problem, location=location)
            raise _StopError
        if is_tagged:  # nobody knows what the tag would have made of it
            read = replace(read, is_complete=False) if isinstance(read, MappingNode) else unknown(read)
            self.nodes[id(node)] = read
        return read

    def alias(self, node: Any) -> Node:
        read = self.nodes[id(node)]
        if read is None:
            location = self.place(node.start_mark)
            self.findings.add("cycle", "this value contains an alias of itself", location=location)
            raise _StopError
        return read

    def mapping(self, node: Any, location: Location, depth: int) -> MappingNode:
        items: dict[str, Node] = {}
        key_locations: dict[str, Location] = {}
        is_complete = True
        for key_node, value_node in node.value:
            key, value = self.key(key_node), self.node(value_node, depth + 1)
            if key is None:
                is_complete = False
                continue
            place = self.place(key_node.start_mark)
            if key in items:
                note = f"first set at {key_locations[key]}"
                message = f"'{key}' is set twice in one mapping"
                self.findings.add("duplicate-key", message, location=place, width=_width(key_node), notes=(note,))
                items[key] = _either(items[key], value)
            else:
                items[key], key_locations[key] = value, place
        return MappingNode(items, location, key_locations, self.directive, None, is_complete)

    def key(self, node: Any) -> str | None:
        """Return the key that `node` spells, or None after reporting why it is none."""
        if type(node) is not yaml.ScalarNode:
            self.report("bad-key", "keys are strings, and this one is a collection", node)
            return None
        value = self.scalar(node).value
        if node.tag == PLAIN and value == "<<":
            fix = "share values with 'templates:' and '_template_', or files with 'defaults:'"
            self.report("merge-key", "merge keys ('<<') are not part of this language", node, fix=fix)
            return None
        if value is UNKNOWN:
            return None
        if not isinstance(value, str):
            quoted = f'quote it: "{node.value}"' if node.value else None
            self.report("bad-key", f"keys are strings, and '{node.value}' is {_noun(value)}", node, fix=quoted)
            return None
        return value

    def scalar(self, node: Any) -> ScalarNode:
        tag, text = node.tag, node.value
        value: Scalar = text
        if tag == PLAIN:
            value = self.plain(node)
        elif tag not in (TEXT, _STR):
            value = self.tagged(node)
        if len(text) > MAX_SCALAR:
            self.report("too-large", f"a value of {len(text)} characters; at most {MAX_SCALAR} are read", node)
            value = UNKNOWN
        secret = isinstance(value, str) and any(secrets_in(value))
        return ScalarNode(value, self.place(node.start_mark), _width(node), self.directive, secret=secret)

    def plain(self, node: Any) -> Scalar:
        try:
            return plain_value(node.value)
        except ValueError as error:
            self.report("too-large", str(error), node)
            return UNKNOWN

    def tagged(self, node: Any) -> Scalar:
        if node.tag not in _TAG_TYPES:
            self.report_tag(node)
            return UNKNOWN
        value = self.plain(node)
        if type(value) not in _TAG_TYPES[node.tag]:
            self.report("bad-tag", f"'{node.value}' is not what its tag {_short(node.tag)} says", node)
            return UNKNOWN
        if not node.tag.endswith(":float") or not isinstance(value, int):
            return value
        try:
            return float(value)
        except OverflowError:
            self.report("too-large", "this integer is too large for a float", node)
            return UNKNOWN

    def report_tag(self, node: Any) -> None:
        allowed = "!!str, !!int, !!float, !!bool, !!null, !!seq, !!map"
        self.report("unknown-tag", f"the tag {_short(node.tag)} is not allowed here", node, allowed=allowed)

    def report(self, code: str, message: str, node: Any, **rest: Any) -> None:
        self.findings.add(code, message, location=self.place(node.start_mark), width=_width(node), **rest)

    def place(self, mark: Any) -> Location:
        line = mark.line
        return Location(self.file, line + 1, mark.column + 1 + (0 if line else self.column))


def _either(first: Node, second: Node) -> Node:
    """Return what stands under a key that is set twice: the first, with what only the second has."""
    if isinstance(first, MappingNode) and isinstance(second, MappingNode):
        places = {**second.key_locations, **first.key_locations}
        return replace(first, items={**second.items, **first.items}, key_locations=places, is_complete=False)
    return first


def _width(node: Any) -> int:
    start, end = node.start_mark, node.end_mark
    if start.line == end.line:
        return int(max(1, end.column - start.column))
    return max(1, len(str(node.value))) if type(node) is yaml.ScalarNode else 1


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _noun(value: Scalar) -> str:
    return "null" if value is None else f"a {'boolean' if isinstance(value, bool) else 'number'}"
