"""Interpolation: `${path}` and `${env:NAME}` become values; references to references are followed, cycles reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from offline_trainer_core.config.chain import chain_of
from offline_trainer_core.config.environment import read_environment, variable_of
from offline_trainer_core.config.expressions import Expression, ExpressionError, read_expressions
from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.limits import MAX_CHARACTERS, MAX_DEPTH, Extent, excess
from offline_trainer_core.config.paths import join_path, split_path
from offline_trainer_core.config.plain import from_plain
from offline_trainer_core.config.secret_names import is_secret_key, is_secret_variable, secrets_in
from offline_trainer_core.config.tree import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    child_of,
    has_unknown,
    is_unknown,
    to_plain,
    unknown,
    walk,
    width_of,
)
from offline_trainer_core.errors import Location, UsageError
from offline_trainer_core.spelling import listing, nearest

__all__ = ["interpolate"]


def interpolate(root: MappingNode, env: Mapping[str, str], findings: Findings) -> MappingNode:
    """Return `root` with every expression replaced by its value; problems go to `findings`."""
    interpolation = _Interpolation(root, env, findings)
    resolved = interpolation.node(root, "")
    if not isinstance(resolved, MappingNode):
        return root
    if problem := excess(*interpolation.extent.of(resolved)):
        findings.at(root, *problem)
        findings.is_incomplete = True  # whatever walks it would take as long as it is large
        return root
    return resolved


class _Interpolation:
    def __init__(self, root: MappingNode, env: Mapping[str, str], findings: Findings) -> None:
        self.root = root
        self.env = env
        self.findings = findings
        self.extent = Extent()
        self.resolved: dict[int, Node] = {}
        """By the id of the unresolved node: an expression means the same wherever the node is shared."""
        self.open: dict[int, str] = {}
        """The nodes that are being resolved, outermost first, with their paths."""
        self.characters = 0

    def node(self, node: Node, path: str) -> Node:
        """Return `node` with the expressions in it and below it resolved."""
        if type(node) is ScalarNode and not _has_expression(node):
            return node
        known = self.resolved.get(id(node))
        if known is None:
            self.open[id(node)] = path
            if len(self.open) > MAX_DEPTH + 1:
                message = f"nested, or referring onwards, more than {MAX_DEPTH} levels deep"
                self.findings.at(node, "too-deep", message, path)
                known = unknown(node)
            else:
                known = self.scalar(node, path) if isinstance(node, ScalarNode) else self.collection(node, path)
            del self.open[id(node)]
            self.resolved[id(node)] = known
        return known

    def collection(self, node: MappingNode | SequenceNode, path: str) -> Node:
        entries = node.items.items() if isinstance(node, MappingNode) else enumerate(node.items)
        changed: dict[str | int, Node] = {}
        for key, child in entries:
            if type(child) is ScalarNode and not _has_expression(child):
                continue
            new = self.node(child, join_path(path, key))
            if new is not child:
                changed[key] = new
        if not changed:
            return node
        if isinstance(node, MappingNode):
            return replace(node, items={key: changed.get(key, child) for key, child in node.items.items()})
        return replace(node, items=tuple(changed.get(i, child) for i, child in enumerate(node.items)))

    def scalar(self, node: ScalarNode, path: str) -> Node:
        """Return the value of a string with expressions: of any type if it is one expression, else a string."""
        try:
            parts = read_expressions(str(node.value))
            values = [part if isinstance(part, str) else self.value(part, node, path) for part in parts]
            if len(values) > 1 and any(has_unknown(value) for value in values if not isinstance(value, str)):
                return unknown(node)
            return self.assembled(node, parts, values)
        except ExpressionError as error:
            self.report(error, node, path)
            return unknown(node)

    def report(self, error: ExpressionError, node: ScalarNode, path: str) -> None:
        location, width = _place_in(node, error.start, error.width)
        # The chain of an expression is what led to it, not where it leads.
        notes = tuple(chain_of(self.root, path))
        self.findings.add(error.code, error.message, path, location=location, width=width, notes=notes, **error.problem)

    def assembled(self, node: ScalarNode, parts: list[str | Expression], values: list[Node | str]) -> Node:
        only = values[0]
        if len(values) == 1 and not isinstance(only, str):
            return self.substituted(node, only)
        text = "".join(value if isinstance(value, str) else _as_text(value) for value in values)
        self.characters += len(text)
        if self.characters > MAX_CHARACTERS:
            raise ExpressionError("too-large", f"interpolation produces more than {MAX_CHARACTERS} characters")
        expressions = " ".join(part.text for part in parts if isinstance(part, Expression))
        if not expressions:  # only escapes
            return replace(node, value=text)
        secret = any(_has_secret(value) for value in values if not isinstance(value, str)) or any(secrets_in(text))
        return replace(node, value=text, directive=f"interpolation {expressions}", replaced=node, secret=secret)

    def substituted(self, node: ScalarNode, value: Node) -> Node:
        directive = f"interpolation {node.value}"
        if isinstance(value, ScalarNode):
            return replace(node, value=value.value, directive=directive, replaced=node, secret=value.secret)
        whole = replace(value, location=node.location, directive=directive, replaced=node)
        if problem := excess(*self.extent.of(whole)):
            raise ExpressionError(*problem)
        return whole

    def value(self, expression: Expression, node: ScalarNode, path: str) -> Node:
        """Return the value of `expression`, which stands in `node` at `path`."""
        try:
            variable = variable_of(expression)
            if variable is None:
                return self.referred(expression)
            directive, secret = f"interpolation {expression.text}", is_secret_variable(variable)
            like = replace(node, directive=directive, replaced=node, secret=secret)
            return from_plain(read_environment(expression, self.env), like, self.findings, path)
        except ExpressionError as error:
            error.start, error.width = expression.start + error.start, error.width or len(expression.text)
            self.report(error, node, path)
            return unknown(node)

    def referred(self, expression: Expression) -> Node:
        try:
            keys = split_path(expression.inner.strip())
        except UsageError as error:
            raise ExpressionError("bad-expression", str(error)) from None
        node: Node = self.root
        path, is_resolved = "", False
        for depth, key in enumerate(keys):
            if not is_resolved and isinstance(node, ScalarNode) and _has_expression(node):
                node, is_resolved = self.followed(node, path), True
            child = child_of(node, key)
            if child is None and self.is_open(node):
                return unknown(node)
            if child is None:
                unknown_path = _unknown(self.root, node, path, key)
                unknown_path.start, unknown_path.width = _part_of(expression, keys[: depth + 1])
                raise unknown_path
            node, path = child, join_path(path, key)
        if not is_resolved:
            node = self.followed(node, path)
        if isinstance(node, ScalarNode) and any(map(is_secret_key, keys)):
            node = replace(node, secret=True)
        return node

    def is_open(self, node: Node) -> bool:
        """Whether a problem that has been reported may be why something is absent in `node`."""
        is_complete = not isinstance(node, MappingNode) or node.is_complete
        return is_unknown(node) or not is_complete or self.findings.is_incomplete

    def followed(self, node: Node, path: str) -> Node:
        """Return the resolved `node` that an expression refers to."""
        if id(node) in self.open:
            chain = list(self.open.values())[list(self.open).index(id(node)) :]
            shown = " -> ".join(step or "the whole configuration" for step in (*chain, path))
            raise ExpressionError("cycle", f"these values refer to each other: {shown}")
        return self.node(node, path)


def _has_expression(node: ScalarNode) -> bool:
    return isinstance(node.value, str) and "${" in node.value


def _part_of(expression: Expression, keys: Sequence[str | int]) -> tuple[int, int]:
    """Return where the path begins in its expression, and how long it is up to the last of `keys`."""
    start = len(expression.text) - len(expression.text[2:].lstrip())
    end = start
    for key in keys:
        end = expression.text.find(str(key), end) + len(str(key))
    return start, end - start


def _unknown(root: MappingNode, node: Node, path: str, key: str | int) -> ExpressionError:
    missing = join_path(path, key)
    if isinstance(node, MappingNode):
        near, allowed = nearest(str(key), node.items), listing(node.items)
        suggestion = join_path(path, near) if near else nearest(missing, (known for known, _ in walk(root)))
        return ExpressionError("unknown-path", f"there is no '{missing}'", suggestion=suggestion, allowed=allowed)
    if isinstance(node, SequenceNode):
        suggestion = join_path(path, int(key)) if isinstance(key, str) and key.isdecimal() else None
        allowed = f"the indices 0 to {len(node.items) - 1}" if node.items else "nothing: the list is empty"
        return ExpressionError("unknown-path", f"there is no '{missing}'", suggestion=suggestion, allowed=allowed)
    return ExpressionError("unknown-path", f"there is no '{missing}': '{path}' is a single value")


def _place_in(node: ScalarNode, start: int, width: int) -> tuple[Location | None, int]:
    """Return where the part of `node` that begins at `start` stands, if the text shows it as it is."""
    quotes = node.width - len(str(node.value))
    if node.location is None or not width or quotes not in (0, 2):
        return node.location, width_of(node)
    return node.location._replace(column=node.location.column + quotes // 2 + start), width


def _as_text(node: Node) -> str:
    value = to_plain(node)
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)


def _has_secret(node: Node) -> bool:
    return any(isinstance(below, ScalarNode) and below.secret for _, below in walk(node))
