"""How a value came to be: every assignment with the text that made it, and what it was taken from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from offline_trainer_core.config import (
    Config,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    is_unknown,
    join_path,
    masked_node,
    redacted,
    split_path,
)
from offline_trainer_core.config.expressions import Expression, read_expressions
from offline_trainer_core.config.secret_names import is_secret_path, without_secrets
from offline_trainer_core.errors import Location

__all__ = ["Reference", "Step", "history_of", "way_to"]


@dataclass(frozen=True)
class Reference:
    """What one `${...}` of an assignment stood for."""

    expression: str
    """As written, with its braces."""
    history: tuple[Step, ...]
    """The assignments of the value that it refers to; empty for an environment variable, and where they are told."""


@dataclass(frozen=True)
class Step:
    """One assignment. Secrets are masked."""

    value: Any
    location: Location | None
    directive: str
    """`file`, `override`, `template <name>`, `merge <mode>`, or `mapping` from Python."""
    source_line: str | None
    """The text of the line; None where that is not known, or would show a secret."""
    template_at: Location | None = None
    """Where the template is asked for."""
    references: tuple[Reference, ...] = ()
    """What was put in the place of each `${...}`."""


def history_of(config: Config, path: str) -> tuple[Step, ...]:
    """Return every assignment of the value at `path`, newest first."""
    return _Reader(config, {path}).history(path)


def way_to(config: Config, path: str) -> tuple[tuple[str, Step], ...]:
    """Return the path and newest assignment of whatever encloses `path` and brought the value here: a whole section
    that was interpolated, a list that was merged.
    """
    reader = _Reader(config, {path})
    nodes = _nodes(config, path)
    ways = []
    for (place, outer), (_, inner) in pairwise(nodes):
        is_merge = outer.directive.startswith("merge ") and not _was_below(outer, inner)
        if is_merge or outer.directive.startswith("interpolation "):
            ways.append((place, reader.history(place)[0]))
    return tuple(ways)


def _was_below(outer: Node, inner: Node) -> bool:
    """Whether a merged list had the item before the merge."""
    below = outer.replaced
    return isinstance(below, SequenceNode) and inner.location in {item.location for item in below.items}


class _Reader:
    """Reads histories, each path's once: values that refer to each other share most of what is behind them."""

    def __init__(self, config: Config, told: set[str]) -> None:
        self.config = config
        self.told = told

    def history(self, path: str) -> tuple[Step, ...]:
        nodes = _nodes(self.config, path)
        secret = is_secret_path(split_path(path))
        steps: dict[tuple[Location | None, str], Step] = {}
        node: Node | None = nodes[-1][1] if nodes else None
        while node is not None:
            step, below = self.step(node, nodes, secret)
            steps.setdefault((step.location, repr(step.value)), step)  # layers that share a file repeat what it says
            node = below
        return tuple(steps.values())

    def step(self, node: Node, nodes: list[tuple[str, Node]], secret: bool) -> tuple[Step, Node | None]:
        """Return the assignment that made `node`, and the node that it overrode."""
        written = node
        if node.directive.startswith("interpolation ") and node.replaced is not None:
            written = node.replaced  # the text of the expression: the same assignment
        value = masked_node(node, secret)
        step = Step(
            value,
            written.location,
            written.directive,
            self.line(written, secret or (isinstance(node, ScalarNode) and node.secret and written is node)),
            self.template_at(written.directive, nodes),
            tuple(self.references(node, written)),
        )
        return step, written.replaced

    def line(self, node: Node, secret: bool) -> str | None:
        text = self.config.source_line(node.location)
        if text is None or (secret and "${" not in text):
            return None
        return redacted(text.strip(), self.config)

    def template_at(self, directive: str, nodes: list[tuple[str, Node]]) -> Location | None:
        """Return where the template is asked for: the nearest mapping around the value that names it."""
        name = directive.removeprefix("template ")
        for _, node in reversed(nodes) if name != directive else ():
            older: Node | None = node
            while older is not None:
                at = older.key_locations.get("_template_") if isinstance(older, MappingNode) else None
                if at is not None and name in (self.config.source_line(at) or "")[at.column - 1 :]:
                    return at
                older = older.replaced
        return None

    def references(self, node: Node, written: Node) -> Iterator[Reference]:
        """Yield what each `${...}` of the text stands for; nothing of a text that could not be resolved."""
        if written is node or not isinstance(written, ScalarNode) or is_unknown(node):
            return
        for part in read_expressions(str(written.value)):
            if isinstance(part, Expression):
                path = part.inner.strip()
                is_new = ":" not in path and path not in self.told
                self.told.add(path)
                yield Reference(without_secrets(part.text), self.history(path) if is_new else ())


def _nodes(config: Config, path: str) -> list[tuple[str, Node]]:
    """Return the root and every node on the way to `path`, with their paths; nothing where nothing is set there."""
    nodes: list[tuple[str, Node]] = [("", config.root)]
    for key in split_path(path):
        place = join_path(nodes[-1][0], key)
        node = config.find(place)
        if node is None:
            return []
        nodes.append((place, node))
    return nodes
