"""The old text in pieces: every value with its key, its place, and the comments that belong to it.

A comment on lines of its own belongs to the key that follows; one that is indented deeper than that key, to what is
before it; a comment at the end of a line, to what begins or ends on that line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from offline_trainer_core.config import MappingNode, Node, ScalarNode, SequenceNode, join_path, to_plain
from offline_trainer_core.errors import Location
from offline_trainer_core.migrate.spans import Span

__all__ = ["Comments", "Piece", "column_of", "comments_between", "count_deeper", "relative"]

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")


@dataclass(frozen=True)
class Comments:
    """What is written around a value."""

    head: tuple[str, ...] = ()
    """Lines before it, without their indentation: comments, and `""` for blank lines."""
    beside: str = ""
    """Behind the key of a block."""
    after: str = ""
    """Behind the last line of the value."""
    tail: tuple[str, ...] = ()
    """Comment lines below the value, with their indentation beyond that of its key."""

    @property
    def lines(self) -> tuple[str, ...]:
        """All comments, a line each."""
        found = (*self.head, self.beside, self.after, *self.tail)
        return tuple(line.strip() for line in found if line)

    def under(self, outer: Comments) -> Comments:
        """Return these comments with those of a key above that goes away."""
        lead = (*outer.head, *([outer.beside] if outer.beside else []))
        own = self.head[1:] if lead and self.head[:1] == ("",) else self.head
        return replace(self, head=(*lead, *own))

    def followed_by(self, after: str, tail: tuple[str, ...]) -> Comments:
        """Return these comments with more behind and below the value."""
        return replace(self, after=" ".join(text for text in (self.after, after) if text), tail=(*self.tail, *tail))


@dataclass(frozen=True)
class Piece:
    """A value of the old file. `path` is where it was, `key_span` is None for the items of a list."""

    text: str
    path: str
    key: str
    place: Location | None
    """Of the key."""
    span: Span
    node: Node
    comments: Comments = field(default_factory=Comments)
    key_span: Span | None = None
    begin: int = 0
    """Of the whole file: where the comments begin that belong to its keys."""

    @property
    def value(self) -> Any:
        """The value as plain data."""
        return to_plain(self.node)

    @property
    def own(self) -> Comments:
        """The comments of the key itself, for a value that is taken apart: its children have the others."""
        if self.span.is_block:
            return Comments(self.comments.head, self.comments.beside)
        return replace(self.comments, beside=self.comments.after, after="")

    def children(self) -> list[Piece]:
        """Return what the mapping or list holds; comments behind and below a block go to the last.

        What an alias stands for has its comments where the anchor is.
        """
        found = list(self._bare() if self.span.target else self._commented())
        if found and self.span.is_block:
            tail = _moved_right(self.comments.tail, found[-1].column - self.column)
            comments = found[-1].comments.followed_by(self.comments.after, tail)
            found[-1] = replace(found[-1], comments=comments)
        return found

    def _commented(self) -> Iterator[Piece]:
        """Yield the children with the comments between them."""
        cursor = self.key_span.end if self.key_span else self.span.start if self.path else self.begin
        waiting: Piece | None = None
        for piece in self._bare():
            start = (piece.key_span or piece.span).start
            after, lines = comments_between(self.text, cursor, start, self.span.is_block)
            head = tuple(line.strip() for line in lines)
            if waiting is not None:
                deeper = count_deeper(lines, waiting.column) if waiting.span.is_block else 0
                tail = relative(lines[:deeper], waiting.column)
                yield replace(waiting, comments=replace(waiting.comments, after=after, tail=tail))
                head = head[deeper:]
            elif after and not (self.key_span and self.span.is_block):
                head = (after, *head)
            waiting = replace(piece, comments=Comments(head, piece.beside()))
            cursor = piece.span.end
        if waiting is not None:
            after, lines = "", []
            if not self.span.is_block:
                after, lines = comments_between(self.text, cursor, self.span.end, False)
            yield replace(waiting, comments=replace(waiting.comments, after=after, tail=tuple(map(str.strip, lines))))

    @property
    def column(self) -> int:
        """How far the key is indented, or the item of a list."""
        return column_of(self.text, (self.key_span or self.span).start) if self.path else 0

    def beside(self) -> str:
        """Return the comment behind the key of a block."""
        if self.key_span is None or not self.span.is_block:
            return ""
        return comments_between(self.text, self.key_span.end, self.span.start, False)[0]

    def _bare(self) -> Iterator[Piece]:
        source = self.span.target or self.span
        if isinstance(self.node, MappingNode):
            spans = zip(source.keys, source.values, self.node.items.items(), strict=True)
            for key_span, span, (key, node) in spans:
                place = self.node.key_locations.get(key)
                yield Piece(self.text, join_path(self.path, key), key, place, span, node, key_span=key_span)
        elif isinstance(self.node, SequenceNode):
            for index, (span, node) in enumerate(zip(source.values, self.node.items, strict=True)):
                yield Piece(self.text, join_path(self.path, index), "", node.location, span, node)

    @property
    def is_null(self) -> bool:
        """Whether there is nothing but `null`."""
        return isinstance(self.node, ScalarNode) and self.node.value is None


def comments_between(text: str, start: int, end: int, blanks: bool) -> tuple[str, list[str]]:
    """Return the comment on the line of `start`, and the comment lines after it up to `end`, with their indentation.

    There are no values between the two. Blank lines are returned as "", several as one, where `blanks` are wanted.
    """
    first, *rest = text[start:end].split("\n")
    if end < len(text) and rest:
        rest.pop()  # what stands before the next value on its line
    lines: list[str] = []
    for line in rest:
        match = _COMMENT.search(line)
        if match:
            lines.append(" " * match.start() + match[0].rstrip())
        elif blanks and not line.strip() and (not lines or lines[-1]):
            lines.append("")
    match = _COMMENT.search(first)
    return match[0].rstrip() if match else "", lines


def column_of(text: str, index: int) -> int:
    """Return how many characters stand before `index` on its line."""
    return index - (text.rfind("\n", 0, index) + 1)


def relative(lines: Iterable[str], column: int) -> tuple[str, ...]:
    """Return comment lines with their indentation beyond `column`."""
    return tuple(line.lstrip() if line[:column].strip() else line[column:] for line in lines if line)


def _moved_right(lines: Iterable[str], columns: int) -> tuple[str, ...]:
    """Return lines of relative indentation as those of a key that stands `columns` further right."""
    return relative(lines, max(columns, 0))


def count_deeper(lines: list[str], column: int) -> int:
    """Return how many of `lines`, from the first on, are comments indented deeper than `column`."""
    count = 0
    for number, line in enumerate(lines, start=1):
        if line and len(line) - len(line.lstrip()) <= column:
            break
        count = number if line else count
    return count
