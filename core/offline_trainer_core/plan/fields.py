"""Checks mappings of plain values against a table of fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from offline_trainer_core.config import MappingNode, join_path, to_plain
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.document import Document
from offline_trainer_core.plan.sections import Field
from offline_trainer_core.signature import choices, find_misfit
from offline_trainer_core.spelling import nearest

__all__ = ["check_fields", "check_value", "descend", "in_words", "shortened", "unknown_key"]

_LONGEST = 60
"""Characters of a value that a message quotes."""


def check_fields(
    document: Document, path: str, table: Mapping[str, Field], known: Iterable[str] = ()
) -> Iterator[Problem]:
    """Yield what is wrong with the mapping at `path`; `table` has every field, `known` further keys."""
    node = document.config.find(path)
    if not isinstance(node, MappingNode):
        yield document.problem("wrong-type", f"'{path}' must be a mapping", path, allowed=", ".join(table))
        return
    misspelled = set()
    for key in node.items:
        if key in table:
            yield from check_value(document, join_path(path, key), table[key].annotation)
        elif key not in known:
            problem = unknown_key(document, path, key, (*known, *table))
            misspelled.add(problem.suggestion)
            yield problem
    for key, field in table.items():
        if field.required and key not in node.items and key not in misspelled:
            yield document.problem("missing-key", f"'{path}' needs '{key}'", path, fix=f"add {key}: ... under {path}")


def check_value(document: Document, path: str, annotation: str) -> Iterator[Problem]:
    """Yield a problem if the value at `path` is not of the type `annotation`."""
    node = document.config.find(path)
    value = to_plain(node) if node is not None else None
    misfit = find_misfit(annotation, "", value) if annotation else None
    if misfit is not None:
        place, part = descend(path, value, misfit.keys)
        meant = nearest(part, choices(annotation)) if isinstance(part, str) else None
        message = f"'{place}' takes {misfit.expected}, not {in_words(part)}"
        yield document.problem("wrong-type", message, place, suggestion=meant)


def descend(path: str, value: Any, keys: Iterable[str | int]) -> tuple[str, Any]:
    """Return path and value of the part of `value` that lies at `keys`."""
    for key in keys:
        path, value = join_path(path, key), value[key]
    return path, value


def unknown_key(document: Document, path: str, key: str, known: Iterable[str]) -> Problem:
    """Return the problem of a key that may not stand in the mapping at `path`."""
    allowed = list(known)
    node = document.config.find(path)
    given = node.items if isinstance(node, MappingNode) else {}
    where = f"'{path}'" if path else "the top level"
    meant = nearest(key, allowed)
    is_given = meant in given and document.is_beside(join_path(path, key), join_path(path, meant or ""))
    already = f", and '{meant}' is already given" if is_given else ""
    return document.problem(
        "unknown-key",
        f"'{shortened(key)}' is not a key of {where}{already}",
        join_path(path, key),
        at_key=True,
        suggestion=None if already else meant,
        allowed=", ".join(allowed),
    )


def in_words(value: object) -> str:
    """Return a value as messages name it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list" if len(str(value)) > 60 else f"the list {value}"
    return f"the string '{shortened(value)}'" if isinstance(value, str) else f"the number {shortened(str(value))}"


def shortened(text: str) -> str:
    """Return the beginning of a text that is longer than anybody reads in a message."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
