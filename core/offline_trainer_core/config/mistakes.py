"""What a text that is no YAML was probably meant to be: the frequent mistakes, in plain words, with what mends them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Mistake", "explain"]

_LONGEST = 2000
"""Characters of a line that are looked at: who wrote more did not write it by hand."""
_CLOSING = {"[": "]", "{": "}"}
_QUOTED = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'""")
_KEY = re.compile(r"""^(?P<indent>[ ]*(?:-[ ]+)*)(?P<key>[^\s:#=\[\]{}"'][^:#=\[\]{}"']*?)[ ]*(?P<rest>$|[:=#].*)""")


_HEXADECIMAL = {"x": 2, "u": 4, "U": 8}
"""How many digits follow the letter of an escape."""


class Mistake(NamedTuple):
    """What is wrong in a text, at a line and a column counted from 0, and the YAML that mends it."""

    line: int
    column: int
    message: str
    fix: str | None = None
    width: int = 1


@dataclass(frozen=True)
class _Spot:
    """Where PyYAML gave up, and what it says of that."""

    lines: list[str]
    line: int
    column: int
    problem: str
    context: str
    start: tuple[int, int]
    """Where that begins which PyYAML could not finish."""

    @property
    def text(self) -> str:
        return self.at(self.line)

    @property
    def before(self) -> str:
        return self.text[: self.column]

    @property
    def character(self) -> str:
        return self.text[self.column : self.column + 1]

    def at(self, line: int) -> str:
        """Return a line; the empty one past the end."""
        return self.lines[line] if 0 <= line < len(self.lines) else ""

    def previous(self, line: int) -> int | None:
        """Return the last line above `line` that says something."""
        above = (number for number in range(min(line, len(self.lines)) - 1, -1, -1))
        return next((n for n in above if self.lines[n].strip() and not self.lines[n].lstrip().startswith("#")), None)


def explain(text: str, error: Any) -> Mistake:
    """Return what is probably wrong where `error` of PyYAML stopped."""
    problem, context = str(getattr(error, "problem", None) or error), str(getattr(error, "context", None) or "")
    begun: Any = getattr(error, "context_mark", None)
    mark: Any = getattr(error, "problem_mark", None) or begun
    begun = begun or mark
    if mark is None:
        return Mistake(0, 0, f"not valid YAML: {problem}")
    lines = [line[:_LONGEST] for line in text.splitlines()]
    spot = _Spot(lines, mark.line, mark.column, problem, context, (begun.line, begun.column))
    known = (mistake for look in _LOOKS for mistake in look(spot))
    return next(
        known, Mistake(spot.line, spot.column, "YAML allows nothing of this kind here", "quote the whole value")
    )


def _tab(spot: _Spot) -> Iterator[Mistake]:
    indentation = spot.text[: len(spot.text) - len(spot.text.lstrip())]
    if "\t" in indentation and spot.column <= len(indentation):
        yield Mistake(
            spot.line,
            indentation.index("\t"),
            "YAML does not allow tabs in the indentation",
            "indent with spaces",
            indentation.count("\t"),
        )


def _first_character(spot: _Spot) -> Iterator[Mistake]:
    """Yield a value that begins with a character that YAML reserves."""
    line, column = spot.start if spot.context in ("while scanning an alias", "while scanning an anchor") else (-1, 0)
    reserved = ("cannot start any token", "mapping keys are not allowed", "node content")
    if any(words in spot.problem for words in reserved):
        line, column = spot.line, spot.column
    elif spot.context == "while scanning a directive":
        line, column = spot.start
    elif "undefined alias" in spot.problem:
        name = re.match(r"\*(\S*?)(?=[,\]}\s]|$)", spot.text[spot.column :])
        shown = name[1] if name else ""
        message, fix = (
            f"there is no anchor '&{shown}' that '*{shown}' stands for",
            f"quote it if it is a text: '*{shown}'",
        )
        yield Mistake(spot.line, spot.column, message, fix, len(shown) + 1)
    text = spot.at(line)[column:]
    if text:
        value = _value(text, spot.at(line)[:column])
        yield Mistake(line, column, f"a value cannot begin with '{text[0]}'", f"quote it: {_quoted(value)}", len(value))


def _value(text: str, before: str) -> str:
    """Return the unquoted value that `text` begins with."""
    is_flow = any(bracket in _QUOTED.sub("", before) for bracket in _CLOSING)
    return re.split(r"[,\]}]| #" if is_flow else " #", text)[0].rstrip() or text[0]


def _quoted(value: str) -> str:
    return f"'{value}'" if "'" not in value else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _open_quote(spot: _Spot) -> Iterator[Mistake]:
    line, column = spot.start
    if "end of stream" in spot.problem and "quoted" in spot.context:
        yield _never_closed(spot, line, column)
    if "block mapping" not in spot.context or not spot.before.rstrip().endswith(('"', "'")):
        return
    quote = spot.before.rstrip()[-1]
    for number in range(spot.line - 1, -1, -1):
        unclosed = _QUOTED.sub(lambda found: " " * len(found[0]), spot.lines[number])
        if quote in unclosed:
            yield _never_closed(spot, number, unclosed.index(quote))
            return
    fix = "write '' for an apostrophe in single quotes" if quote == "'" else 'write \\" for a quote in double quotes'
    yield Mistake(spot.line, spot.column, "this stands after the quote that ends the value", fix)


def _never_closed(spot: _Spot, line: int, column: int) -> Mistake:
    quote = spot.at(line)[column : column + 1]
    return Mistake(line, column, f"this quote is never closed: {quote}", f"end the value with {quote}")


def _brackets(spot: _Spot) -> Iterator[Mistake]:
    if spot.character in ("]", "}") and ("block mapping" in spot.context or "<document start>" in spot.problem):
        yield Mistake(spot.line, spot.column, f"there is no bracket that this '{spot.character}' closes", "take it out")
    if "flow" not in spot.context:
        return
    line, column = spot.start
    opening = spot.at(line)[column : column + 1]
    closing = _CLOSING.get(opening)
    if closing is None:
        return
    if spot.character == "{" and spot.before.endswith("$"):
        found = re.match(r"\$\{[^}]*\}?", spot.text[spot.column - 1 :])
        expression = found[0] if found else "${"
        message = "an expression inside brackets needs quotes"
        yield Mistake(spot.line, spot.column - 1, message, f'"{expression}"', len(expression))
    elif not _is_closed(spot.lines, line, column):
        yield Mistake(line, column, f"this '{opening}' is never closed", f"close it with '{closing}'")
    elif spot.character in ("]", "}"):
        message = f"the '{opening}' of line {line + 1}, column {column + 1}, is closed by '{spot.character}'"
        yield Mistake(spot.line, spot.column, message, f"close it with '{closing}'")
    else:
        yield Mistake(spot.line, spot.column, "a comma is missing before this", "divide entries by ', '")


def _is_closed(lines: list[str], line: int, column: int) -> bool:
    """Whether as many brackets close as open from a place on."""
    rest = "\n".join([lines[line][column:], *lines[line + 1 :]])
    depth = 0
    for character in _QUOTED.sub("", rest):
        depth += (character in "[{") - (character in "]}")
        if depth == 0:
            return True
    return False


def _colons(spot: _Spot) -> Iterator[Mistake]:
    """Yield what makes a key of what is none, or keeps a key from being one."""
    if "could not find expected ':'" in spot.problem:
        yield from _without_colon(spot, spot.start[0])
    if "mapping values are not allowed" not in spot.problem:
        return
    if found := re.match(r"(\s*(?:-\s+)*[^\s#][^#]*?:\s+)(\S.*)", spot.text):
        start = found.end(1)
        if start <= spot.column:
            value = re.split(r"\s+#", found[2])[0].rstrip()
            key = found[1].strip()
            fix = f"{key} {_quoted(value)}"
            yield Mistake(spot.line, start, "a value that contains ': ' needs quotes", fix, len(value))
            return
    above = spot.previous(spot.line)
    if above is not None:
        yield from _without_colon(spot, above)
        key, over = _KEY.match(spot.text), _KEY.match(spot.lines[above])
        if key and over:
            message = f"'{key['key']}' stands below '{over['key']}', which has a value already"
            yield Mistake(spot.line, len(key["indent"]), message, f"indent it as '{over['key']}'", len(key["key"]))


def _without_colon(spot: _Spot, line: int) -> Iterator[Mistake]:
    found = _KEY.match(spot.at(line))
    if not found:
        return
    key, rest, start = found["key"], found["rest"], len(found["indent"])
    if rest.startswith("="):
        value = rest[1:].strip()
        yield Mistake(
            line, found.start("rest"), "a key and its value are divided by ': ', not by '='", f"{key}: {value}"
        )
    elif not rest.startswith(":"):
        yield Mistake(line, start, f"a ':' is missing after '{key}'", f"{key}: ...", len(key))
    elif rest[1:2] not in ("", " "):
        yield Mistake(line, found.start("rest"), "a space is missing after this ':'", f"{key}: {rest[1:]}")


def _indentation(spot: _Spot) -> Iterator[Mistake]:
    if "block" not in spot.context or spot.before.strip():
        return
    above = spot.previous(spot.line)
    previous = spot.lines[above] if above is not None else ""
    indent = len(previous) - len(previous.lstrip())
    if spot.text[spot.column :].startswith("- "):
        if above is not None and re.match(r"\s*-[^\s-]", previous):
            yield Mistake(above, indent, "a space is missing after this '-'", f"- {previous.lstrip()[1:]}")
        elif previous.lstrip().startswith("- "):
            fix = f"indent it by {indent} spaces, as the one above"
            yield Mistake(spot.line, spot.column, "this item of a list is not in line with the others", fix)
        else:
            message = "an item of a list cannot stand beside the keys of a mapping"
            yield Mistake(spot.line, spot.column, message, "give the list a key, and indent the items below it")
    elif previous.startswith("- ", indent) and indent == spot.column:
        message = "a key cannot stand beside the items of a list"
        yield Mistake(spot.line, spot.column, message, "give the list a key, and indent the items below it")
    elif spot.character:
        message = f"nothing above is indented by {spot.column} spaces, as this is"
        yield Mistake(spot.line, spot.column, message, f"indent it by {indent} spaces, as the line above")


def _after_value(spot: _Spot) -> Iterator[Mistake]:
    """Yield text that cannot stand where a value has ended, or that a value cannot hold."""
    if "block mapping" in spot.context and spot.before.rstrip().endswith(("]", "}")):
        yield Mistake(
            spot.line, spot.column, "this stands after the bracket that ends the value", "quote the whole value"
        )
    elif "unknown escape" in spot.problem or "hexdecimal" in spot.problem:
        slash = spot.text.rfind("\\", 0, spot.column + 1)
        escape = spot.text[slash : slash + 2]
        fix = "put the value into single quotes, or write \\\\ for a backslash"
        what = "is no escape in double quotes"
        if "hexdecimal" in spot.problem:
            what = f"needs {_HEXADECIMAL.get(escape[1:], 2)} hexadecimal digits in double quotes"
        yield Mistake(spot.line, slash, f"'{escape}' {what}", fix, 2)
    elif "block scalar" in spot.context:
        fix = "begin the text on the next line, indented"
        yield Mistake(spot.line, spot.column, "nothing but a comment can follow '|' or '>' on its line", fix)


def _of_yaml_itself(spot: _Spot) -> Iterator[Mistake]:
    """Yield tags, directives and ends of documents, which a configuration can do without."""
    if " tag" in f"{spot.problem} {spot.context}" and "directive" not in spot.context:
        line, column = spot.start if "tag" in spot.context else (spot.line, spot.column)
        value = _value(spot.at(line)[column:], spot.at(line)[:column]) if spot.at(line)[column:] else "!"
        yield Mistake(line, column, "this is no tag of YAML", f"quote it if it is a text: {_quoted(value)}", len(value))
    elif "YAML" in spot.problem or "directive" in spot.context:
        message = "a line that begins with '%' speaks to the reader of YAML, and this one says nothing that it knows"
        yield Mistake(spot.line, 0, message, "take the line out")
    elif "<document start>" in spot.problem:
        yield Mistake(spot.line, spot.column, "this stands after the end of the text", "take out the '...' above it")


_LOOKS = (_tab, _first_character, _open_quote, _brackets, _colons, _indentation, _after_value, _of_yaml_itself)
