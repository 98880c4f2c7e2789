"""Parses of a module only what is asked for: most of a source is the bodies of classes that nobody asks about.

The text is cut where a class or function begins in the first column. What is left, imports and assignments, is parsed
at once, and each definition on its own when it is wanted. Where a cut turns out wrong, as inside a string, the parts do
not parse, and the module is parsed as a whole instead.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Definition", "Split", "parse_definition", "split_source"]

_BEGIN = re.compile(r"^(?:(@)|(?:async[ \t]+)?(?:class|def)[ \t]+(\w+)|[^\s#)\]}])", re.MULTILINE)

_METHODS = ("def ", "async def ")


class Definition(NamedTuple):
    """Where a class or function stands in the text of its module, its decorators included."""

    begin: int
    end: int


class Split(NamedTuple):
    """The statements of a module that are no definitions, parsed, and where the definitions are."""

    rest: ast.Module
    definitions: dict[str, Definition]


def split_source(source: str) -> Split | None:
    """Return `source` in parts, or None where it must be parsed as a whole."""
    definitions: dict[str, Definition] = {}
    rest, copied = [], 0
    begin: int | None = None
    name = ""
    for match in [*_BEGIN.finditer(source), None]:
        if begin is not None and name:
            end = match.start() if match is not None else len(source)
            if name in definitions:
                return None
            definitions[name] = Definition(begin, end)
            rest += [source[copied:begin], "\n" * source.count("\n", begin, end)]
            begin, name, copied = None, "", end
        if match is not None and (match[1] or match[2]):
            begin = match.start() if begin is None else begin
            name = match[2] or ""
    if _cuts_a_string(rest[::2]):
        return None
    rest.append(source[copied:])
    try:
        return Split(ast.parse("".join(rest)), definitions)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _cuts_a_string(pieces: Iterable[str]) -> bool:
    """Whether one of the pieces may end inside a string, where what is taken for a definition is text."""
    double = single = 0
    for piece in pieces:
        double += piece.count('"""')
        single += piece.count("'''")
        if double % 2 or single % 2:
            return True
    return False


def parse_definition(source: str, definition: Definition) -> ast.stmt | None:
    """Return the definition with its lines numbered as in `source`; None where the text there is no definition.

    The methods of a class come without their bodies, but for `__init__`.
    """
    before = "\n" * source.count("\n", 0, definition.begin)
    text = source[definition.begin : definition.end]
    is_class = text.startswith("class") or "\nclass" in text
    return (_parsed(before + _without_bodies(text)) if is_class else None) or _parsed(before + text)


def _parsed(text: str) -> ast.stmt | None:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return None
    return body[0] if len(body) == 1 else None


def _without_bodies(text: str) -> str:
    """Return the text of a class with `...` for the body of each method, as many lines as before."""
    lines = []
    place, is_text = "class", False
    for line in text.splitlines():
        is_nested = line[:4] == "    " and line[4:5] not in ("", " ", "\t", ")", "]", "}", "#")
        if is_nested and place == "body":
            place = "class"
        if place == "class":
            is_text ^= bool(line.count('"""') % 2 or line.count("'''") % 2)
            if is_nested and not is_text and line.startswith(_METHODS, 4) and not line.startswith("def __init__(", 4):
                place = "head"
        if place == "head" and line.rstrip().endswith(":"):
            lines.append(f"{line} ...")
            place = "body"
        else:
            lines.append("" if place == "body" else line)
    return "\n".join(lines)
