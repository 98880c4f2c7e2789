"""The new file before it is text: entries with the comments that they take along, and their places in the old file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from offline_trainer_core.config import MappingNode, Node, ScalarNode, SequenceNode
from offline_trainer_core.errors import Location
from offline_trainer_core.migrate.pieces import Comments, Piece

__all__ = ["Block", "Entry", "Made", "to_node"]


@dataclass(frozen=True)
class Made:
    """A value that is not written so in the old file; `width` is that of the old value in its place."""

    value: Any
    width: int = 1


@dataclass
class Block:
    """A mapping, or a list whose entries have no keys. `flow`: whether it was written in braces before."""

    entries: list[Entry] = field(default_factory=list)
    is_list: bool = False
    flow: bool = False

    def add(self, key: str, value: Value, comments: Comments | None = None, place: Location | None = None) -> None:
        """Put an entry behind the others."""
        self.entries.append(Entry(key, value, comments or Comments(), place))


@dataclass
class Entry:
    """A key and its value in the new file. `place` is where the old file has what it comes from."""

    key: str
    value: Value
    comments: Comments = field(default_factory=Comments)
    place: Location | None = None

    @classmethod
    def of(cls, piece: Piece, key: str | None = None) -> Entry:
        """Return `piece` as it is, with its comments, under `key` if that is another."""
        return cls(piece.key if key is None else key, piece, piece.comments, piece.place)


Value: TypeAlias = Piece | Made | Block


def to_node(value: Value, place: Location) -> Node:
    """Return `value` as resolution takes it, every node where the old file has it, else at `place`."""
    if isinstance(value, Piece):
        return value.node
    if isinstance(value, Made):
        return _plain(value.value, place, value.width)
    if value.is_list:
        return SequenceNode(tuple(to_node(entry.value, entry.place or place) for entry in value.entries), place)
    items = {entry.key: to_node(entry.value, entry.place or place) for entry in value.entries}
    return MappingNode(items, place, {entry.key: entry.place or place for entry in value.entries})


def _plain(value: Any, place: Location, width: int) -> Node:
    if isinstance(value, dict):
        items = {key: _plain(item, place, width) for key, item in value.items()}
        return MappingNode(items, place, dict.fromkeys(items, place))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return SequenceNode(tuple(_plain(item, place, width) for item in value), place)
    return ScalarNode(value, place, width)
