"""Calls that ask for their parts by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from offline_trainer_core.errors import ComponentError

__all__ = ["call_with_parts"]


def call_with_parts(function: Callable[..., Any], parts: Mapping[str, Any], whole: str = "a run") -> Any:
    """Call `function` with exactly the parts of `whole` that its signature names; `**kwargs` receives all of them.

    Raises `ComponentError` when it asks for a part that does not exist and has no default for it.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return function(**parts)
    wanted = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    unknown = [p.name for p in wanted if p.name not in parts and p.default is p.empty]
    if unknown:
        named = function.func if isinstance(function, partial) else function
        where = getattr(named, "__qualname__", repr(named))
        raise ComponentError(
            f"{where} asks for {', '.join(map(repr, unknown))}, which is no part of {whole}; the parts are: "
            f"{', '.join(sorted(parts))}"
        )
    return function(**{p.name: parts[p.name] for p in wanted if p.name in parts})
