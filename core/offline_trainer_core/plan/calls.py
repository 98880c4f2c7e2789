"""The constructions that a configuration asks for: which component, with which arguments, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.config import join_path
from offline_trainer_core.plan.document import Mention
from offline_trainer_core.plan.names import Names

__all__ = ["Call", "calls_of"]


class Call(NamedTuple):
    """A construction that the configuration asks for."""

    mention: Mention
    entry: Entry
    args: list[Any]
    kwargs: dict[str, Any]
    paths: Mapping[str, str]
    """Where each keyword argument stands."""
    args_path: str
    in_definition: bool = False
    """Whether it stands in the definition of a frontend, where null may be a dimension to be inferred."""


def calls_of(names: Names) -> list[Call]:
    """Return the constructions whose arguments the configuration gives."""
    definitions = tuple(f"{mention.place}." for mention, entry in names.resolved if entry.kind == "frontend")
    calls = (_call(mention, entry) for mention, entry in names.resolved)
    return [call._replace(in_definition=call.mention.place.startswith(definitions)) for call in calls if call]


def _call(mention: Mention, entry: Entry) -> Call | None:
    if mention.spec is not None:
        args, kwargs, paths = mention.arguments()
        return Call(mention, entry, args, kwargs, paths, join_path(mention.path, "_args_"))
    if mention.factory is None or not any(mention.passes):
        return None
    _, outer, outer_paths = mention.factory.arguments()
    args_name, kwargs_name = mention.passes
    kwargs, args = outer.get(kwargs_name) or {}, outer.get(args_name) or []
    if not isinstance(kwargs, dict) or not isinstance(args, list):
        return None  # the factory's own signature tells
    paths = {key: join_path(outer_paths[kwargs_name], key) for key in kwargs}
    return Call(mention, entry, args, kwargs, paths, outer_paths.get(args_name, ""))
