"""How large a configuration may become, and the measure of it.

Aliases, includes, templates and interpolations share nodes, so a small text can stand for an immense tree. The
sizes are therefore counted as if nothing were shared, without ever walking the tree that they stand for.
"""

from __future__ import annotations

from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_DIGITS", "MAX_FILE_BYTES", "MAX_NODES", "MAX_SCALAR", "Extent", "excess"]

MAX_FILE_BYTES = 1024 * 1024
MAX_SCALAR = 256 * 1024
MAX_DIGITS = 1000
MAX_DEPTH = 100
MAX_NODES = 50_000
MAX_CHARACTERS = 16 * 1024 * 1024
"""Text that interpolation may produce in one configuration."""


class Extent:
    """Sizes and heights of trees, each shared subtree measured once.

    Measure from the leaves up, as trees are made: then no call recurses deeper than the new part of a tree.
    """

    def __init__(self) -> None:
        # The node is kept beside its measure: an id says nothing once its object is gone.
        self._known: dict[int, tuple[int, int, Node]] = {}

    def of(self, node: Node) -> tuple[int, int]:
        """Return how many nodes `node` stands for, and how many levels of collections."""
        if type(node) is ScalarNode:
            return 1, 0
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = self._measure(node)
        return known[0], known[1]

    def _measure(self, node: Node) -> tuple[int, int, Node]:
        size, height = 1, 0
        for child in _children(node):
            if type(child) is ScalarNode:
                size += 1
                continue
            below, deep = self.of(child)
            size += below
            height = max(height, deep)
        return size, height + 1, node


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, MappingNode):
        return tuple(node.items.values())
    return node.items if isinstance(node, SequenceNode) else ()


def excess(size: int, height: int) -> tuple[str, str] | None:
    """Return the code and the message of the problem with a tree of `size` nodes and `height` levels, or None."""
    if height > MAX_DEPTH:
        return "too-deep", f"nested more than {MAX_DEPTH} levels deep"
    if size > MAX_NODES:
        return "too-large", f"more than {MAX_NODES} values, counting every alias and reference in full"
    return None
