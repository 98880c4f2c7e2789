"""Where in outputs, targets and batches a component finds what it works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from offline_trainer_core.errors import DataError
from offline_trainer_core.nest import select

__all__ = ["Path", "pick", "select_or_explain"]

Path = str | Sequence[str | int]


def select_or_explain(nest: Any, path: Path, role: str) -> Any:
    """Return what lies at `path`; raises `DataError` that begins with `role` and lists what there is."""
    try:
        return select(nest, path)
    except KeyError as error:
        raise DataError(f"{role}: {error.args[0]}") from None


def pick(nest: Any, path: Path | None, role: str, what: str) -> Any:
    """Return what lies at `path` in `nest`, or without a path the only thing that there is.

    Raises `DataError` where there is nothing, or more than one thing; `what` names the nest in the message.
    """
    if path is not None:
        return select_or_explain(nest, path, role)
    if not isinstance(nest, (Mapping, list, tuple)):
        return nest
    if len(nest) == 1:
        return next(iter(nest.values())) if isinstance(nest, Mapping) else nest[0]
    names = ", ".join(map(str, nest)) if isinstance(nest, Mapping) else f"{len(nest)} of them"
    raise DataError(f"{role} is needed, since there is not one of the {what} but: {names or 'none'}")
