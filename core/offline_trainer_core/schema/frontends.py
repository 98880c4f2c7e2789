"""What frontends advertise of the schema of their definitions, read from source without importing it."""

from __future__ import annotations

import ast
from typing import Any

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.schema.components import Component, names_of
from offline_trainer_core.signature import read_module
from offline_trainer_core.signature.names import follow

__all__ = ["frontend_schema"]

Schema = dict[str, Any]


def frontend_schema(frontend: Component, registry: Registry, by_kind: dict[str, list[Component]]) -> Schema:
    """Return the schema of what stands under a frontend's name: what it advertises, or one that takes anything."""
    part = _constant(registry.schema(frontend.entry))
    about = {"title": frontend.entry.key, "description": frontend.summary}
    return about | (_with_names(part, by_kind) if isinstance(part, dict) else {})


def _constant(entry: Entry | None) -> Any:
    """Return the literal that `module:NAME` is assigned, or None where there is no such thing."""
    if entry is None:
        return None
    module_name, _, name = entry.reference.partition(":")
    module = read_module(module_name)
    found = follow(name, module) if module is not None else None
    try:
        return ast.literal_eval(found.node) if found is not None and isinstance(found.node, ast.expr) else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _with_names(part: Any, by_kind: dict[str, list[Component]]) -> Any:
    """Return `part` with `{"names of": kind, "prefix": text}` spelled out as the names of installed components."""
    if isinstance(part, dict) and "names of" in part:
        kind = str(part["names of"])
        return {"anyOf": names_of(by_kind.get(kind, ()), f"{kind}.", str(part.get("prefix", "")))}
    if isinstance(part, dict):
        return {key: _with_names(value, by_kind) for key, value in part.items()}
    return [_with_names(item, by_kind) for item in part] if isinstance(part, list) else part
