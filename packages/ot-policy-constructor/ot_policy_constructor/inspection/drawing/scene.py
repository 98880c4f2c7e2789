"""What is drawn: items with text, boxes that hold some of them, and links from one item to another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

__all__ = ["Box", "Item", "Kind", "Link", "Scene"]

Kind = Literal["field", "port", "module", "frozen", "operation", "value", "result"]


class Item(NamedTuple):
    """A piece of text with an outline; of several lines the first one is its name."""

    kind: Kind
    lines: tuple[str, ...]


class Link(NamedTuple):
    """An arrow between two items, by their keys."""

    source: str
    target: str
    computed: bool = False
    """Whether the algorithm computes what arrives from what leaves, instead of handing it on."""


@dataclass
class Box:
    """A component of the policy."""

    lines: tuple[str, ...]
    frozen: bool
    items: dict[str, Item] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    """Items at the upper and at the lower end."""


@dataclass
class Scene:
    """The whole picture. Keys of items are unique in all of it."""

    lines: tuple[str, ...]
    boxes: dict[str, Box] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
