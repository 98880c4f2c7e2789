"""The nodes of a configuration: a frozen tree in which each value knows where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from offline_trainer_core.config.paths import join_path
from offline_trainer_core.errors import UNKNOWN, Location, Unknown

__all__ = [
    "Assignment",
    "MappingNode",
    "Node",
    "Scalar",
    "ScalarNode",
    "SequenceNode",
    "child_of",
    "frozen",
    "has_unknown",
    "is_unknown",
    "to_plain",
    "unknown",
    "walk",
    "width_of",
]

Scalar: TypeAlias = str | int | float | bool | Unknown | None


class Assignment(NamedTuple):
    """One value that a node had, and who set it."""

    value: Any
    """The plain value that the node had from then on."""
    location: Location | None
    directive: str = "file"
    """`file`, `override`, `template <name>`, `interpolation <expression>`, `merge <mode>`, or `mapping` from Python."""
    secret: bool = False
    """Whether the value came out of a secret environment variable or setting, and must not be shown."""


class _Assigned:
    """What every node knows about how it came to be.

    A node keeps the node that it took the place of, and the history is read off that chain when somebody asks:
    a configuration has thousands of nodes, and most histories are never read.
    """

    __slots__ = ()
    location: Location | None
    directive: str
    replaced: Node | None

    @property
    def history(self) -> tuple[Assignment, ...]:
        """Every assignment that led here, newest first."""
        assignments = []
        node: Any = self
        while node is not None:
            secret = isinstance(node, ScalarNode) and node.secret
            assignments.append(Assignment(to_plain(node), node.location, node.directive, secret))
            node = node.replaced
        return tuple(assignments)


@dataclass(frozen=True, slots=True)
class ScalarNode(_Assigned):
    """A string, number, boolean or null."""

    value: Scalar
    location: Location | None = None
    width: int = 1
    """Length of the token in the text."""
    directive: str = "file"
    """What set this value; see `Assignment.directive`."""
    replaced: Node | None = None
    """The node that stood here before."""
    secret: bool = False
    """Whether the value came out of a secret environment variable or setting, or looks like a secret."""


@dataclass(frozen=True, slots=True)
class SequenceNode(_Assigned):
    """A list."""

    items: tuple[Node, ...]
    location: Location | None = None
    directive: str = "file"
    replaced: Node | None = None


@dataclass(frozen=True, slots=True)
class MappingNode(_Assigned):
    """A mapping with string keys, in the order of the text."""

    items: Mapping[str, Node]
    location: Location | None = None
    key_locations: Mapping[str, Location] = field(default_factory=dict)
    """Where each key stands."""
    directive: str = "file"
    replaced: Node | None = None
    is_complete: bool = True
    """Whether all its keys are known; a reported problem, such as a template that does not exist, may hide some."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", frozen(self.items))
        object.__setattr__(self, "key_locations", frozen(self.key_locations))

    def __reduce__(self) -> tuple[Any, ...]:
        places = dict(self.key_locations)
        rest = (self.directive, self.replaced, self.is_complete)
        return MappingNode, (dict(self.items), self.location, places, *rest)

    def get(self, key: str) -> Node | None:
        """Return the node under `key`, or None."""
        return self.items.get(key)

    @property
    def type_key(self) -> str | None:
        """The component that this mapping names with `_type_`, or None."""
        node = self.items.get("_type_")
        return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def child_of(node: Node, key: str | int) -> Node | None:
    """Return what stands under `key` in a mapping, or at the index `key` in a list, or None."""
    if isinstance(node, MappingNode) and isinstance(key, str):
        return node.items.get(key)
    if isinstance(node, SequenceNode) and isinstance(key, int) and -len(node.items) <= key < len(node.items):
        return node.items[key]
    return None


def to_plain(node: Node) -> Any:
    """Return `node` as plain dicts, lists and scalars."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, SequenceNode):
        return [to_plain(item) for item in node.items]
    return {key: to_plain(value) for key, value in node.items.items()}


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield `node` and everything below it with dotted paths, parents first."""
    yield path, node
    if isinstance(node, MappingNode):
        for key, value in node.items.items():
            yield from walk(value, join_path(path, key))
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from walk(item, join_path(path, index))


def unknown(node: Node) -> ScalarNode:
    """Return what stands in the place of `node` after a problem that leaves its value open."""
    return ScalarNode(UNKNOWN, node.location, width_of(node), node.directive, node)


def is_unknown(node: Node | None) -> bool:
    """Return whether a reported problem leaves the value of `node` open."""
    return isinstance(node, ScalarNode) and node.value is UNKNOWN


def has_unknown(node: Node) -> bool:
    """Return whether a value, or a key, at or below `node` is not known."""
    return any(is_unknown(n) or (isinstance(n, MappingNode) and not n.is_complete) for _, n in walk(node))


def width_of(node: Node) -> int:
    """Return how many carets `node` gets: a scalar as many as its text is long, a collection one."""
    return node.width if isinstance(node, ScalarNode) else 1


def frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a view of `mapping` through which it cannot be changed."""
    return mapping if isinstance(mapping, MappingProxyType) else MappingProxyType(mapping)
