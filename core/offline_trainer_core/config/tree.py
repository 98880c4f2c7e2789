"""The resolved configuration: a frozen tree whose nodes know where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from offline_trainer_core.config.paths import join_path, parent_path, split_path
from offline_trainer_core.errors import Location, Problem

__all__ = [
    "Assignment",
    "Config",
    "MappingNode",
    "Node",
    "Scalar",
    "ScalarNode",
    "SequenceNode",
    "child_of",
    "line_at",
    "to_plain",
    "walk",
    "width_of",
]

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Assignment:
    """One value that a node had, and who set it."""

    value: Any
    """The plain value that the node had from then on."""
    location: Location | None
    directive: str = "file"
    """`file`, `override`, `template <name>`, `interpolation <expression>`, `merge <mode>`, or `mapping` from Python."""


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
            assignments.append(Assignment(to_plain(node), node.location, node.directive))
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
    """Whether the value came out of a secret environment variable or setting."""


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", _frozen(self.items))
        object.__setattr__(self, "key_locations", _frozen(self.key_locations))

    def __reduce__(self) -> tuple[Any, ...]:
        key_locations = dict(self.key_locations)
        return MappingNode, (dict(self.items), self.location, key_locations, self.directive, self.replaced)

    def get(self, key: str) -> Node | None:
        """Return the node under `key`, or None."""
        return self.items.get(key)

    @property
    def type_key(self) -> str | None:
        """The component that this mapping names with `_type_`, or None."""
        node = self.items.get("_type_")
        return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


@dataclass(frozen=True)
class Config:
    """A resolved configuration."""

    root: MappingNode
    sources: Mapping[str, str] = field(default_factory=dict)
    """The text of every file and override that took part, by its name as shown in locations."""
    overrides: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", _frozen(self.sources))

    def __reduce__(self) -> tuple[Any, ...]:
        return Config, (self.root, dict(self.sources), self.overrides, self.warnings)

    @property
    def files(self) -> Mapping[str, str]:
        """The text of every file, without the overrides."""
        return {name: text for name, text in self.sources.items() if not name.startswith("<override ")}

    def find(self, path: str) -> Node | None:
        """Return the node at a dotted path such as `callbacks[0].monitor`, or None.

        Raises `UsageError` where `path` is not a path.
        """
        node: Node | None = self.root
        for key in split_path(path):
            node = child_of(node, key) if node is not None else None
        return node

    def plain(self, path: str = "") -> Any:
        """Return the value at `path` as plain dicts, lists and scalars (fresh copies); None where there is none."""
        node = self.find(path)
        return None if node is None else to_plain(node)

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Yield every node at or below `path` with its dotted path, parents first."""
        node = self.find(path)
        if node is not None:
            yield from walk(node, path)

    def problem(self, code: str, message: str, path: str, *, at_key: bool = False, **rest: Any) -> Problem:
        """Return a `Problem` at `path`: at its value, or at its key, with the chain that led to the value as notes."""
        location, width = self._place(path, at_key)
        notes = (*rest.pop("notes", ()), *self._chain(path))
        line = line_at(self.sources, location)
        return Problem(code, message, path, location=location, source_line=line, width=width, notes=notes, **rest)

    def source_line(self, location: Location | None) -> str | None:
        """Return the text of the line at `location`, where it is known."""
        return line_at(self.sources, location)

    def _place(self, path: str, at_key: bool) -> tuple[Location | None, int]:
        if at_key and path:
            parent, key = self.find(parent_path(path)), split_path(path)[-1]
            if isinstance(parent, MappingNode) and isinstance(key, str) and key in parent.key_locations:
                return parent.key_locations[key], len(key)
        node = self.find(path)
        while node is None:
            path = parent_path(path)
            node = self.find(path)
        return node.location, width_of(node)

    def _chain(self, path: str) -> Iterator[str]:
        """Yield how the scalar at `path` came to its value, where the text at its location does not say it."""
        node = self.find(path)
        if not isinstance(node, ScalarNode):
            return
        if node.directive.startswith("interpolation "):
            expression = node.directive.removeprefix("interpolation ")
            origin = None if ":" in expression else self.find(expression[2:-1].strip())
            place = f", set at {origin.location}" if origin is not None and origin.location else ""
            yield f"from {expression}{place}"
        elif node.directive.startswith("template "):
            yield f"from {node.directive}"
        for older in node.history[1:]:
            if older.value != node.value and older.location != node.location:
                yield f"overrides {'***' if node.secret else older.value!r} from {older.location or 'the mapping'}"


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


def line_at(sources: Mapping[str, str], location: Location | None) -> str | None:
    """Return the text of the line at `location`, where it is known."""
    if location is None or location.file not in sources:
        return None
    lines = sources[location.file].splitlines()
    return lines[location.line - 1] if 0 < location.line <= len(lines) else None


def width_of(node: Node) -> int:
    """Return how many carets `node` gets: a scalar as many as its text is long, a collection one."""
    return node.width if isinstance(node, ScalarNode) else 1


def _frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping if isinstance(mapping, MappingProxyType) else MappingProxyType(mapping)
