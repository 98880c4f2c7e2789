"""The grammar of interpolation: `${...}` inside strings, `$${` for a literal `${`."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Expression", "ExpressionError", "read_expressions"]


class Expression(NamedTuple):
    """One `${...}` of a string."""

    text: str
    """As written, with its braces."""
    start: int
    """Where it begins in the string."""

    @property
    def inner(self) -> str:
        """What stands between the braces."""
        return self.text[2:-1]


class ExpressionError(Exception):
    """An expression has no value; `problem` are further fields of the `Problem` that says why.

    `start` and `width` are the part that is at fault, of the string or of the expression; all of it if `width` is 0.
    """

    def __init__(self, code: str, message: str, *, start: int = 0, width: int = 0, **problem: Any) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.problem = problem
        self.start = start
        self.width = width


def read_expressions(text: str) -> list[str | Expression]:
    """Return `text` as its literal parts and its expressions, in order.

    Raises `ExpressionError` for a brace that is never closed, and for expressions inside expressions.
    """
    parts: list[str | Expression] = []
    end = 0
    while (start := text.find("${", end)) >= 0:
        escaped = start > end and text[start - 1] == "$"
        parts.append(text[end : start - 1] + "${" if escaped else text[end:start])
        end = start + 2
        if not escaped:
            end = _closing(text, start)
            parts.append(Expression(text[start:end], start))
    parts.append(text[end:])
    return [part for part in parts if part]


def _closing(text: str, start: int) -> int:
    """Return where the expression at `start` ends; braces inside it, as in a JSON default, come in pairs."""
    depth = 0
    for position in range(start + 1, len(text)):
        if text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                _check_inner(text[start + 2 : position], start)
                return position + 1
    fix = "close it with }, or write $${ for a literal ${"
    raise ExpressionError("bad-expression", "this '${' is never closed", start=start, width=2, fix=fix)


def _check_inner(inner: str, start: int) -> None:
    width = len(inner) + 3
    if "${" in inner:
        fix = "give the inner value a name under 'params:' and refer to that"
        message = "expressions do not stand inside expressions"
        raise ExpressionError("bad-expression", message, start=start, width=width, fix=fix)
    if not inner.strip():
        allowed = "${path.to.value}, ${env:NAME}, ${env:int:NAME,default}"
        raise ExpressionError("bad-expression", "this expression is empty", start=start, width=width, allowed=allowed)
