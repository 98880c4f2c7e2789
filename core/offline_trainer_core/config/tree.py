"""The resolved configuration: a frozen tree whose nodes know where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from offline_trainer_core.errors import Location, Problem

__all__ = ["Assignment", "Config", "MappingNode", "Node", "ScalarNode", "SequenceNode", "join_path"]


@dataclass(frozen=True)
class Assignment:
    """One value that a node had, and who set it."""

    value: Any
    """The plain value that was assigned."""
    location: Location | None
    directive: str = "file"
    """`file`, `override`, `template <name>`, `interpolation <expression>`, `merge <mode>` or `mapping` (set from Python)."""


@dataclass(frozen=True)
class ScalarNode:
    """A string, number, boolean or null."""

    value: str | int | float | bool | None
    location: Location | None = None
    history: tuple[Assignment, ...] = ()
    """Every assignment that led here, newest first."""
    width: int = 1
    """Length of the token in the text."""


@dataclass(frozen=True)
class SequenceNode:
    """A list."""

    items: tuple[Node, ...]
    location: Location | None = None
    history: tuple[Assignment, ...] = ()


@dataclass(frozen=True)
class MappingNode:
    """A mapping with string keys, in the order of the text."""

    items: Mapping[str, Node]
    location: Location | None = None
    history: tuple[Assignment, ...] = ()
    key_locations: Mapping[str, Location] = field(default_factory=dict)
    """Where each key stands."""

    def get(self, key: str) -> Node | None:
        """Return the node under `key`, or None."""
        return self.items.get(key)

    @property
    def type_key(self) -> str | None:
        """The component that this mapping names with `_type_`, or None."""
        node = self.items.get("_type_")
        return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


Node = ScalarNode | SequenceNode | MappingNode


def join_path(path: str, key: str | int) -> str:
    """Return the dotted path of `key` under `path`: `a.b`, `a[0]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


@dataclass(frozen=True)
class Config:
    """A resolved configuration."""

    root: MappingNode
    sources: Mapping[str, str] = field(default_factory=dict)
    """The text of every file that took part, by its path as shown in locations."""
    overrides: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def find(self, path: str) -> Node | None:
        """Return the node at a dotted path such as `callbacks[0].monitor`, or None."""
        from offline_trainer_core.config.paths import split_path

        node: Node | None = self.root
        for key in split_path(path):
            if isinstance(node, MappingNode) and isinstance(key, str):
                node = node.items.get(key)
            elif isinstance(node, SequenceNode) and isinstance(key, int) and -len(node.items) <= key < len(node.items):
                node = node.items[key]
            else:
                return None
        return node

    def plain(self, path: str = "") -> Any:
        """Return the value at `path` as plain dicts, lists and scalars (fresh copies); None where there is none."""
        node = self.find(path) if path else self.root
        return None if node is None else to_plain(node)

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Yield every node at or below `path` with its dotted path, parents first."""
        node = self.find(path) if path else self.root
        if node is not None:
            yield from walk(node, path)

    def problem(self, code: str, message: str, path: str, *, at_key: bool = False, **rest: Any) -> Problem:
        """Return a `Problem` at `path`, with the location and source line of its value, or of its key."""
        location, width = self._place(path, at_key)
        return Problem(
            code, message, path, location=location, source_line=self.source_line(location), width=width, **rest
        )

    def source_line(self, location: Location | None) -> str | None:
        """Return the text of the line at `location`, where it is known."""
        if location is None or location.file not in self.sources:
            return None
        lines = self.sources[location.file].splitlines()
        return lines[location.line - 1] if 0 < location.line <= len(lines) else None

    def _place(self, path: str, at_key: bool) -> tuple[Location | None, int]:
        from offline_trainer_core.config.paths import parent_path, split_path

        if at_key and path:
            parent = self.find(parent_path(path)) if parent_path(path) else self.root
            key = split_path(path)[-1]
            if isinstance(parent, MappingNode) and isinstance(key, str) and key in parent.key_locations:
                return parent.key_locations[key], len(key)
        node = self.find(path) if path else self.root
        while node is None and path:
            path = parent_path(path)
            node = self.find(path) if path else self.root
        if node is None:
            return None, 1
        return node.location, node.width if isinstance(node, ScalarNode) else 1


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
