"""Where the values of a YAML text begin and end: what PyYAML's events say, as a tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, MappingStartEvent, ScalarEvent

__all__ = ["Span", "read_spans"]

_ANCHOR = re.compile(r"&\S+[ \t]*")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Span:
    """A value in a text: `text[start:end]` is what it is written as, comments behind it left out."""

    start: int
    end: int
    style: str
    """`block` or `flow` of a collection, `alias`, or the quotes of a scalar: nothing, `'`, `"`, `|`, `>`."""
    anchor: tuple[int, int] | None = None
    """Where `&name ` stands."""
    keys: list[Span] = field(default_factory=list)
    values: list[Span] = field(default_factory=list)
    """Those of a mapping, beside its keys, or the items of a list."""
    target: Span | None = None
    """What an alias stands for."""
    is_mapping: bool = False

    @property
    def is_block(self) -> bool:
        """Whether this is a collection that indentation holds together."""
        return self.style == "block"

    def leaves(self) -> Iterator[Span]:
        """Yield the scalars and aliases at or below this value, in the order of the text; keys among them."""
        if self.style not in ("block", "flow"):
            yield self
        for index, value in enumerate(self.values):
            if self.keys:
                yield from self.keys[index].leaves()
            yield from value.leaves()

    def anchors(self) -> Iterator[tuple[int, int]]:
        """Yield where the anchors at or below this value stand."""
        if self.anchor:
            yield self.anchor
        for span in (*self.keys, *self.values):
            yield from span.anchors()


def read_spans(text: str) -> Span:
    """Return the span of the one document in `text`, which is known to be well-formed."""
    events = (event for event in yaml.parse(text, Loader=_LOADER) if not type(event).__name__.startswith(_OUTSIDE))
    return _Reader(text, events).value(next(events))


_OUTSIDE = ("Stream", "Document")


class _Reader:
    def __init__(self, text: str, events: Iterator[Any]) -> None:
        self.text = text
        self.events = events
        self.anchored: dict[str, Span] = {}

    def value(self, event: Any) -> Span:
        if _is(event, AliasEvent):
            start, end = event.start_mark.index, event.end_mark.index
            return Span(start, end, "alias", target=self.anchored[event.anchor])
        span = self.scalar(event) if _is(event, ScalarEvent) else self.collection(event)
        if event.anchor:
            match = _ANCHOR.search(self.text, span.start)
            span.anchor = match.span() if match else None
            self.anchored[event.anchor] = span
        return span

    def scalar(self, event: Any) -> Span:
        start, end = event.start_mark.index, event.end_mark.index
        style = event.style or ""
        if style in ("|", ">"):  # libyaml counts the blank lines behind it in; only `|+` means them
            written = self.text[start:end]
            keeps = "+" in written.partition("\n")[0].partition("#")[0]
            end = start + len(written.removesuffix("\n") if keeps else written.rstrip())
        return Span(start, end, style)

    def collection(self, event: Any) -> Span:
        span = Span(event.start_mark.index, event.end_mark.index, "flow" if event.flow_style else "block")
        span.is_mapping = _is(event, MappingStartEvent)
        while not _is(event := next(self.events), CollectionEndEvent):
            if span.is_mapping:
                span.keys.append(self.value(event))
                event = next(self.events)
            span.values.append(self.value(event))
        span.end = span.values[-1].end if span.is_block else event.end_mark.index
        return span


def _is(event: Any, kind: type) -> bool:
    return isinstance(event, kind)
