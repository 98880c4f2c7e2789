"""The resolved configuration, and where in it problems are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from offline_trainer_core.config.chain import chain_of, inclusions
from offline_trainer_core.config.conceal import concealed, line_at
from offline_trainer_core.config.paths import parent_path, split_path
from offline_trainer_core.config.tree import MappingNode, Node, child_of, frozen, to_plain, walk, width_of
from offline_trainer_core.errors import Location, Problem

__all__ = ["Config"]


@dataclass(frozen=True)
class Config:
    """A resolved configuration."""

    root: MappingNode
    sources: Mapping[str, str] = field(default_factory=dict)
    """The text of every file and override that took part, by its name as shown in locations."""
    overrides: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    included: Mapping[str, Location] = field(default_factory=dict)
    """Where each file was named that another one includes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", frozen(self.sources))
        object.__setattr__(self, "included", frozen(self.included))

    def __reduce__(self) -> tuple[Any, ...]:
        return Config, (self.root, dict(self.sources), self.overrides, self.warnings, dict(self.included))

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
        """Return a `Problem` at `path`: at its value, or at its key, with the chain that led there as notes.

        Secrets are not shown.
        """
        location, width = self._place(path, at_key)
        notes = (*rest.pop("notes", ()), *chain_of(self.root, path), *inclusions(location, self.included))
        line = self.source_line(location)
        problem = Problem(code, message, path, location=location, source_line=line, width=width, notes=notes, **rest)
        return concealed(problem, self.root, path, at_key=at_key)

    def source_line(self, location: Location | None) -> str | None:
        """Return the text of the line at `location`, where it is known, without secrets."""
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
