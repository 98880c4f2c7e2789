"""A plain class attribute, read from source. Nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from offline_trainer_core.signature.classes import Class, UnknownError, linearized
from offline_trainer_core.signature.names import follow
from offline_trainer_core.signature.source import bindings_of, read_module

__all__ = ["class_attribute"]


def class_attribute(reference: str, name: str, folders: Iterable[str] = ()) -> Any:
    """Return the literal that the class `module:attribute`, or the nearest of its bases, assigns to `name`.

    None where there is none, or where the source cannot tell. `folders` are looked in before the path.
    """
    module_name, _, attribute = reference.partition(":")
    module = read_module(module_name, tuple(folders))
    found = follow(attribute, module) if module is not None and attribute else None
    if found is None or not isinstance(found.node, ast.ClassDef):
        return None
    try:
        family = linearized(Class(found.node, found.module))
    except (UnknownError, RecursionError):
        family = [Class(found.node, found.module)]
    bound = (bindings_of(cls.node.body, cls.module).get(name) for cls in family)
    return _literal(next((binding for binding in bound if binding is not None), None))


def _literal(binding: Any) -> Any:
    try:
        return ast.literal_eval(binding) if isinstance(binding, ast.expr) else None
    except ValueError:
        return None
