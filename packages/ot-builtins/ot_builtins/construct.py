"""Calls a class of torch or of a third party with the arguments of a configuration, and explains what does not fit."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.spelling import did_you_mean

__all__ = ["construct", "refuse_unknown"]


def construct(target: Any, label: str, first: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return `target(first, *args, **kwargs)`; raises `ComponentError` that begins with `label` where that fails."""
    refuse_unknown(target, label, kwargs)
    try:
        return target(first, *args, **kwargs)
    except Exception as error:
        raise ComponentError(f"{label}: {error}") from error


def refuse_unknown(target: Any, label: str, kwargs: Mapping[str, Any]) -> None:
    """Raise `ComponentError` for a keyword that `target` does not take, with those that it takes."""
    parameters = inspect.signature(target).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    allowed = list(parameters)[1:]
    for name in kwargs:
        if name not in allowed:
            raise ComponentError(
                f"{label}: no argument '{name}'{did_you_mean(name, allowed)}; allowed: {', '.join(allowed)}"
            )
