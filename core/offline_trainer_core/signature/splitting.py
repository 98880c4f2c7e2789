"""Parses of a module only what is asked for: most of a source is the bodies of classes that nobody asks about.

The text is cut where a class or function begins in the first column. What is left, imports and assignments, is parsed
at once, and each definition on its own when it is wanted. Where a cut turns out wrong, as inside a string, the parts do
not parse, and the module is parsed as a whole instead.
"""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

__all__ = ["Definition", "Split", "parse_definition", "split_source"]

_BEGIN = re.compile(r"^(?:(@)|(?:async[ \t]+)?(?:class|def)[ \t]+(\w+)|[^\s#)\]}])", re.MULTILINE)

_CUT = "# a definition stood here"
"""A comment, unless it was cut out of a string."""


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
            rest += [source[copied:begin], _CUT, "\n" * source.count("\n", begin, end)]
            begin, name, copied = None, "", end
        if match is not None and (match[1] or match[2]):
            begin = match.start() if begin is None else begin
            name = match[2] or ""
    rest.append(source[copied:])
    try:
        parsed = ast.parse("".join(rest))
    except (SyntaxError, ValueError, RecursionError):
        return None
    return None if any(map(_is_cut, ast.walk(parsed))) else Split(parsed, definitions)


def _is_cut(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and _CUT in node.value


def parse_definition(source: str, definition: Definition) -> ast.stmt | None:
    """Return the definition with its lines numbered as in `source`; None where the text there is no definition."""
    before = "\n" * source.count("\n", 0, definition.begin)
    try:
        body = ast.parse(before + source[definition.begin : definition.end]).body
    except (SyntaxError, ValueError, RecursionError):
        return None
    return body[0] if len(body) == 1 else None
