"""Writes a draft as text: what was not changed as it was written before, only indented anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from offline_trainer_core.migrate.draft import Block, Entry, Made
from offline_trainer_core.migrate.pieces import Comments, Piece, column_of, comments_between
from offline_trainer_core.migrate.spans import Span
from offline_trainer_core.migrate.words import modern

__all__ = ["print_draft"]

_STEP = 2


def print_draft(draft: Block, end: tuple[str, ...], *, verbatim: bool = True) -> str:
    """Return the text of `draft`, with the comment lines `end` below it.

    Without `verbatim`, kept values are written in braces and their inner comments above them.
    """
    lines = [*_Printer(verbatim).entries(draft, 0), *end]
    return "\n".join(lines).strip("\n") + "\n"


class _Printer:
    def __init__(self, verbatim: bool) -> None:
        self.verbatim = verbatim

    def entries(self, block: Block, column: int) -> Iterator[str]:
        for entry in block.entries:
            yield from _indented(entry.comments.head, column)
            yield from self.item(entry, column) if block.is_list else self.pair(entry, column)
            yield from _indented(entry.comments.tail, column)

    def pair(self, entry: Entry, column: int) -> Iterator[str]:
        start = " " * column + _key(entry.key)
        if isinstance(entry.value, Block):
            yield from self.block(start + ":", entry.value, entry.comments, column)
        else:
            yield from self.kept(start + ":", entry, column)

    def item(self, entry: Entry, column: int) -> Iterator[str]:
        if not isinstance(entry.value, Block) or _one_line(entry.value):
            yield from self.pair_of_item(entry, column)
            return
        above = [text for text in (entry.comments.beside, *entry.value.entries[0].comments.head) if text]
        first, *rest = self.entries(_without_head(entry.value), column + _STEP)
        yield from _indented(above, column)
        yield " " * column + "- " + first[column + _STEP :]
        yield from rest

    def pair_of_item(self, entry: Entry, column: int) -> Iterator[str]:
        start = " " * column + "-"
        if isinstance(entry.value, Block):
            yield from self.block(start, entry.value, entry.comments, column)
        else:
            yield from self.kept(start, entry, column)

    def block(self, start: str, block: Block, comments: Comments, column: int) -> Iterator[str]:
        inline = _one_line(block)
        if inline is not None:
            behind = " ".join(text for text in (comments.beside, comments.after) if text)
            yield _with_comment(f"{start} {inline}", behind)
        else:
            yield _with_comment(start, comments.beside)
            yield from self.entries(block, column + _STEP)

    def kept(self, start: str, entry: Entry, column: int) -> Iterator[str]:
        value = entry.value
        if isinstance(value, Made):
            yield _with_comment(f"{start} {inline_text(value.value)}", entry.comments.after)
        elif isinstance(value, Piece) and not self.verbatim:
            yield from _indented(_inner_comments(value), column)
            behind = " ".join(text for text in (entry.comments.beside, entry.comments.after) if text)
            yield _with_comment(f"{start} {inline_text(value.value)}", behind)
        elif isinstance(value, Piece):
            first, *rest = _kept_lines(value, column)
            lines = [(start + first).rstrip() if not rest else start + first, *rest]
            yield from [*lines[:-1], _with_comment(lines[-1], entry.comments.after)]


def _kept_lines(piece: Piece, column: int) -> list[str]:
    """Return what is written behind the key of `piece`, or behind the dash of an item, for its new column."""
    begin = piece.key_span.end if piece.key_span else piece.span.start
    text = _edited(piece.text, begin, piece.span)
    text = text.lstrip().removeprefix(":") if piece.key_span else f" {text}"
    old = column_of(piece.text, (piece.key_span or piece.span).start)
    shift = column - old if piece.key_span else column + _STEP - old
    least = column if piece.span.is_block else column + _STEP
    first, *rest = text.split("\n")
    return [first, *(_shifted(line, shift, least) for line in rest)]


def _shifted(line: str, shift: int, least: int) -> str:
    bare = line.lstrip(" ")
    return " " * max(len(line) - len(bare) + shift, least) + bare if bare else ""


def _edited(text: str, begin: int, span: Span) -> str:
    """Return the text of a value from `begin` on without anchors and aliases, its words as they are spelled today."""
    edits = [(start, end, "") for start, end in span.anchors()]
    for leaf in span.leaves():
        if leaf.target is not None:
            edits.append((leaf.start, leaf.end, _flow(text, leaf.target)))
        elif not leaf.style and (word := modern(text[leaf.start : leaf.end])) is not None:
            edits.append((leaf.start, leaf.end, word))
    written, cursor = "", begin
    for start, end, replacement in sorted(edits):
        written += text[cursor:start] + replacement
        cursor = end
    return written + text[cursor : span.end]


def _flow(text: str, span: Span) -> str:
    """Return a value on one line."""
    if span.target is not None:
        return _flow(text, span.target)
    if span.is_mapping:
        pairs = zip(span.keys, span.values, strict=True)
        return "{" + ", ".join(f"{_flow(text, key)}: {_flow(text, value)}" for key, value in pairs) + "}"
    if span.style in ("block", "flow"):
        return "[" + ", ".join(_flow(text, value) for value in span.values) + "]"
    written = text[span.start : span.end]
    if span.anchor:
        written = text[span.start : span.anchor[0]] + text[span.anchor[1] : span.end]
    if span.style:
        return inline_text(yaml.safe_load(written)) if "\n" in written else written
    return modern(written) or " ".join(written.split()) or "null"


def _inner_comments(piece: Piece) -> list[str]:
    """Return the comments between the parts of a value."""
    found: list[str] = []
    cursor = piece.key_span.end if piece.key_span is not None else piece.span.start
    for leaf in piece.span.leaves():
        after, lines = comments_between(piece.text, cursor, leaf.start, False)
        found += [text.strip() for text in (after, *lines) if text and text != piece.comments.beside]
        cursor = leaf.end
    after, lines = comments_between(piece.text, cursor, piece.span.end, False)
    return found + [text.strip() for text in (after, *lines) if text]


def inline_text(value: Any) -> str:
    """Return plain data as YAML on one line; `${...}` stays an expression."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and modern(value) is None and value not in _CONSTANTS:
        return value
    text: str = yaml.safe_dump(value, default_flow_style=True, width=2**16, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...").strip()


_PLAIN = re.compile(r"[A-Za-z_/.~][\w./+-]*")
_CONSTANTS = {"true", "True", "TRUE", "false", "False", "FALSE", "null", "Null", "NULL", "~"}


def _key(key: str) -> str:
    return inline_text(key)


def _one_line(block: Block) -> str | None:
    """Return a block that was written in braces as it stands on one line, or None where it must not."""
    if not block.entries:
        return "[]" if block.is_list else "{}"
    if not block.flow or any(entry.comments.lines for entry in block.entries):
        return None
    parts = []
    for entry in block.entries:
        value = entry.value
        if isinstance(value, Block):
            text = _one_line(value)
        elif isinstance(value, Made):
            text = inline_text(value.value)
        else:
            text = _flow(value.text, value.span) if "#" not in value.text[value.span.start : value.span.end] else None
        if text is None:
            return None
        parts.append(text if block.is_list else f"{_key(entry.key)}: {text}")
    line = ", ".join(parts)
    return (f"[{line}]" if block.is_list else f"{{{line}}}") if len(line) <= 100 else None


def _without_head(block: Block) -> Block:
    """Return `block` without the lines above its first entry: they stand above the dash."""
    first = block.entries[0]
    bare = replace(first, comments=replace(first.comments, head=()))
    return Block([bare, *block.entries[1:]], block.is_list, block.flow)


def _indented(lines: tuple[str, ...] | list[str], column: int) -> Iterator[str]:
    for line in lines:
        yield " " * column + line if line else ""


def _with_comment(line: str, comment: str) -> str:
    return f"{line}  {comment}" if comment else line
