"""Words and numbers of YAML 1.1, in which older files were read: `on` was true, `1_000` a number."""

from __future__ import annotations

import re

from offline_trainer_core.config import MappingNode, Node, ScalarNode, SequenceNode
from offline_trainer_core.migrate.spans import Span

__all__ = ["as_it_was_read", "modern"]

_WORDS = {
    **{word: "true" for base in ("yes", "on") for word in (base, base.title(), base.upper())},
    **{word: "false" for base in ("no", "off") for word in (base, base.title(), base.upper())},
}
_GROUPED = re.compile(r"[-+]?[1-9][0-9]*(?:_[0-9]+)+(?:\.[0-9]*)?")


def modern(text: str) -> str | None:
    """Return how the unquoted scalar `text` is written today; None if it means the same as before."""
    if _GROUPED.fullmatch(text):
        return text.replace("_", "")
    return _WORDS.get(text)


def as_it_was_read(text: str, span: Span, node: Node) -> Node:
    """Return `node` with the values that its unquoted words and numbers had."""
    source = span.target or span
    if isinstance(node, ScalarNode):
        word = None if source.style or source.anchor else modern(text[source.start : source.end])
        if word is None:
            return node
        value = word == "true" if word in ("true", "false") else float(word) if "." in word else int(word)
        return ScalarNode(value, node.location, node.width)
    values = [
        as_it_was_read(text, below, item)
        for below, item in zip(
            source.values, node.items.values() if isinstance(node, MappingNode) else node.items, strict=True
        )
    ]
    if isinstance(node, SequenceNode):
        return SequenceNode(tuple(values), node.location)
    return MappingNode(dict(zip(node.items, values, strict=True)), node.location, node.key_locations)
