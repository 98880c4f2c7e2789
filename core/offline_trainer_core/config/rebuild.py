"""Changed copies of frozen nodes. What did not change is shared with the original."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from offline_trainer_core.config.paths import join_path
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["upon", "with_collections"]

_LONGEST_HISTORY = 32


def with_collections(node: Node, path: str, change: Callable[[Node, str], Node]) -> Node:
    """Return `node`, at `path`, with `change(child, its path)` in place of every collection in it.

    It is `node` itself that is returned if nothing changed.
    """
    if isinstance(node, MappingNode):
        changed = {}
        for key, child in node.items.items():
            if type(child) is not ScalarNode and (new := change(child, join_path(path, key))) is not child:
                changed[key] = new
        return replace(node, items={**node.items, **changed}) if changed else node
    if isinstance(node, SequenceNode):
        items = list(node.items)
        for index, child in enumerate(node.items):
            if type(child) is not ScalarNode:
                items[index] = change(child, join_path(path, index))
        return node if all(map(_same, items, node.items)) else replace(node, items=tuple(items))
    return node


def _same(one: object, other: object) -> bool:
    return one is other


def upon(node: Node, base: Node | None) -> Node:
    """Return `node` with the history of `base` after its own."""
    if base is None:
        return node
    own: list[Node] = []
    older: Node | None = node
    # Files that include each other crosswise would double a history with every level.
    while older is not None and len(own) < _LONGEST_HISTORY:
        own.append(older)
        older = older.replaced
    for newer in reversed(own):
        base = replace(newer, replaced=base)
    return base
