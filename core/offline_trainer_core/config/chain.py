"""How a value came to be, as notes under a problem: what the text at its place does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from offline_trainer_core.config.expressions import Expression, ExpressionError, read_expressions
from offline_trainer_core.config.paths import split_path
from offline_trainer_core.config.secret_names import MASK, is_secret_path, without_secrets
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode, child_of
from offline_trainer_core.errors import Location, UsageError

__all__ = ["chain_of", "inclusions"]

_LONGEST = 60
"""Values that were overridden are cut after this many characters."""


def chain_of(root: MappingNode, path: str) -> Iterator[str]:
    """Yield where the value at `path`, or the nearest above it, comes from."""
    keys = split_path(path)
    nodes: list[Node] = [root]
    for key in keys:
        child = child_of(nodes[-1], key)
        if child is None:
            break
        nodes.append(child)
    yield from _interpolations(root, nodes)
    yield from _templates(nodes)
    yield from _merges(nodes)
    yield from _overridden(nodes, is_secret_path(keys))


def inclusions(location: Location | None, included: Mapping[str, Location]) -> Iterator[str]:
    """Yield which file includes the one that `location` is in, and so on up to the first."""
    file = location.file if location is not None else ""
    seen: set[str] = set()
    while file in included and file not in seen:
        seen.add(file)
        yield f"{file} is included at {included[file]}"
        file = included[file].file


def _interpolations(root: MappingNode, nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the expression that gave the value, or something above it."""
    for node in reversed(nodes):
        kind, _, text = node.directive.partition(" ")
        if kind == "interpolation":
            used = "" if node is nodes[-1] or node.location is None else f", used at {node.location}"
            yield from (f"from {without_secrets(e.text)}{_origin(root, e)}{used}" for e in _expressions(text))


def _expressions(text: str) -> list[Expression]:
    try:
        return [part for part in read_expressions(text) if isinstance(part, Expression)]
    except ExpressionError:
        return []


def _origin(root: MappingNode, expression: Expression) -> str:
    """Return where the value of an expression was set, if that is a place."""
    node: Node | None = root
    try:
        for key in split_path(expression.inner.strip()):
            node = child_of(node, key) if node is not None else None
    except UsageError:  # an environment variable
        return ""
    return f", set at {node.location}" if node is not None and node.location else ""


def _templates(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the templates that the value is from, innermost first, and where each is used."""
    name = ""
    for node in reversed(nodes):
        if name and node.directive != name and isinstance(node, MappingNode):
            used = node.key_locations.get("_template_")
            yield f"from {name}{f', used at {used}' if used else ''}"
            name = ""
        if node.directive.startswith("template "):
            name = node.directive
    if name:
        yield f"from {name}"


def _merges(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the nearest merge container that the value is in."""
    for node in reversed(nodes):
        if node.directive.startswith("merge "):
            mode, onto = node.directive.removeprefix("merge "), node.replaced
            base = f", onto {onto.location}" if onto is not None and onto.location else ""
            if node.location is not None:
                yield f"merged by '{mode}' at {node.location}{base}"
            return


def _overridden(nodes: Sequence[Node], secret: bool) -> Iterator[str]:
    """Yield what the value took the place of, or, if nothing, what the list did that it is in."""
    target = nodes[-1]
    secret = secret or (isinstance(target, ScalarNode) and target.secret)
    said = False
    for older in _before(target):
        value = f"overrides {_in_words(older, secret)} from {older.location or 'the mapping'}"
        if not _is_same(target, older):
            said = True
            yield value
    holders = [node for node in nodes[:-1] if isinstance(node, SequenceNode) and not node.directive.startswith("merge")]
    for holder in reversed(holders if not said else ()):
        for older in _before(holder):
            if older.location != holder.location:
                yield f"in a list that overrides {_in_words(older, True)} from {older.location or 'the mapping'}"
                return


def _before(node: Node) -> Iterator[Node]:
    older = node.replaced
    while older is not None:
        yield older
        older = older.replaced


def _is_same(node: Node, older: Node) -> bool:
    """Whether nothing was lost: one text, or equal values, or mappings that were merged."""
    if node.location == older.location or isinstance(node, MappingNode):
        return node.location == older.location or isinstance(older, MappingNode)
    if isinstance(node, ScalarNode) and isinstance(older, ScalarNode):
        return type(node.value) is type(older.value) and node.value == older.value
    return isinstance(node, SequenceNode) and node.directive.startswith("merge")


def _in_words(node: Node, secret: bool) -> str:
    if not isinstance(node, ScalarNode):
        return "a mapping" if isinstance(node, MappingNode) else "a list"
    if secret or node.secret:
        return MASK
    text = without_secrets(repr(node.value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
