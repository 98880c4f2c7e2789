"""`${env:NAME}`, `${env:NAME,default}` and the typed forms `${env:int:NAME}`, `float`, `bool` and `json`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from offline_trainer_core.config.expressions import Expression, ExpressionError
from offline_trainer_core.spelling import nearest

__all__ = ["read_environment", "variable_of"]

_FORM = re.compile(r"env:(?:(?P<cast>[^:,]*):)?(?P<name>[^:,]*)(?:,(?P<default>.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_FORMS = "${env:NAME}, ${env:NAME,default}, ${env:int:NAME}, and likewise float, bool, json"


def variable_of(expression: Expression) -> str | None:
    """Return the environment variable that `expression` reads, or None if it is a path."""
    if not expression.inner.startswith("env:"):
        return None
    match = _FORM.fullmatch(expression.inner)
    return match["name"] if match else ""


def read_environment(expression: Expression, env: Mapping[str, str]) -> Any:
    """Return the plain value of an `${env:...}`: the raw text, or, with a type, the trimmed text as that type.

    Raises `ExpressionError` for a malformed form, a missing variable without default, and text that is not of the type.
    """
    match = _FORM.fullmatch(expression.inner)
    if match is None or not _NAME.fullmatch(match["name"]):
        raise ExpressionError("bad-expression", f"'{expression.text}' names no variable", allowed=_FORMS)
    cast, name, text = match["cast"], match["name"], match["default"]
    if cast is not None and cast not in _CASTS:
        allowed, near = ", ".join(_CASTS), nearest(cast, _CASTS)
        place = {"start": 2 + match.start("cast"), "width": len(cast)}
        raise ExpressionError("bad-expression", f"there is no type '{cast}'", **place, suggestion=near, allowed=allowed)
    text = env.get(name, text)
    if text is None:
        raise ExpressionError(
            "missing-environment-variable",
            f"the environment variable {name} is not set",
            start=2 + match.start("name"),
            width=len(name),
            suggestion=nearest(name, env),
            fix=f"export {name}=..., or give a default: {expression.text[:-1]},...}}",
        )
    return text if cast is None else _cast(cast, name, text)


def _cast(cast: str, name: str, text: str) -> Any:
    try:
        return _CASTS[cast](text.strip())
    except (ValueError, KeyError, RecursionError):
        allowed = "true/false, 1/0, yes/no, on/off" if cast == "bool" else None
        # The text itself is not shown: it may be a secret.
        message = f"the value of {name}, or its default, is not {_ARTICLES[cast]}"
        raise ExpressionError("bad-cast", message, allowed=allowed) from None


def _json(text: str) -> Any:
    import json

    return json.loads(text)


_CASTS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": lambda text: _TRUTH[text.lower()],
    "json": _json,
}
_ARTICLES = {"int": "an integer", "float": "a number", "bool": "a boolean", "json": "valid JSON"}
