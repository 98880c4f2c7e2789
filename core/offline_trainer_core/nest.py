"""Nests: dicts, lists, tuples and dataclasses with tensors at the leaves, as a batch may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

__all__ = ["describe", "leaves", "map_leaves", "parse_part", "parse_path", "select"]

Path = str | Sequence[str | int]
_PART = re.compile(r"(?P<field>.+)\[(?P<start>\d*):(?P<stop>\d*)\]")


def parse_path(path: Path) -> tuple[str | int, ...]:
    """Return `path` as keys and indices: `"obs.0"`, `["obs", 0]` and `("obs", 0)` are the same place."""
    if isinstance(path, str):
        return tuple(int(part) if part.lstrip("-").isdigit() else part for part in path.split("."))
    return tuple(path)


def parse_part(text: str) -> tuple[str, slice]:
    """Return the field that `text` names and which part of its last dimension: `state[0:2]` is `state` from 0 to 2.

    Without brackets it is all of it.
    """
    found = _PART.fullmatch(text)
    if found is None:
        return text, slice(0, None)
    return found["field"], slice(int(found["start"] or 0), int(found["stop"]) if found["stop"] else None)


def select(nest: Any, path: Path) -> Any:
    """Return what lies at `path` in `nest`.

    Raises `KeyError` with a message that lists what the nest has where the path leaves it.
    """
    keys = parse_path(path)
    place = nest
    for depth, key in enumerate(keys):
        try:
            place = _step(place, key)
        except (KeyError, IndexError, TypeError, AttributeError):
            walked = ".".join(str(k) for k in keys[:depth]) or "the batch"
            wanted = ".".join(str(k) for k in keys)
            raise KeyError(f"no '{wanted}': {walked} has {_names(place)}") from None
    return place


def _step(place: Any, key: str | int) -> Any:
    if isinstance(place, Mapping):
        return place[key] if key in place else place[str(key)]
    if is_dataclass(place) and isinstance(key, str):
        return getattr(place, key)
    if isinstance(place, (list, tuple)):
        return getattr(place, key) if isinstance(key, str) else place[key]
    raise KeyError(key)


def _names(place: Any) -> str:
    if isinstance(place, Mapping):
        return ", ".join(str(key) for key in place) or "nothing"
    if is_dataclass(place):
        return ", ".join(f.name for f in fields(place))
    if isinstance(place, (list, tuple)):
        return f"the indices 0 to {len(place) - 1}" if place else "nothing"
    return f"no parts: it is a {type(place).__name__}"


def map_leaves(function: Callable[[Any], Any], nest: Any) -> Any:
    """Return a nest of the same form with `function` applied to every leaf."""
    if isinstance(nest, dict):
        return {key: map_leaves(function, value) for key, value in nest.items()}
    if isinstance(nest, tuple) and hasattr(nest, "_fields"):
        return type(nest)(*(map_leaves(function, value) for value in nest))
    if isinstance(nest, (list, tuple)):
        return type(nest)(map_leaves(function, value) for value in nest)
    if is_dataclass(nest) and not isinstance(nest, type):
        return replace(nest, **{f.name: map_leaves(function, getattr(nest, f.name)) for f in fields(nest) if f.init})
    return function(nest)


def leaves(nest: Any, prefix: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every leaf of `nest` with its path, in order."""
    if isinstance(nest, Mapping):
        for key, value in nest.items():
            yield from leaves(value, (*prefix, key))
    elif isinstance(nest, (list, tuple)):
        for index, value in enumerate(nest):
            yield from leaves(value, (*prefix, index))
    elif is_dataclass(nest) and not isinstance(nest, type):
        for f in fields(nest):
            yield from leaves(getattr(nest, f.name), (*prefix, f.name))
    else:
        yield prefix, nest


def describe(nest: Any) -> list[tuple[str, str, str]]:
    """Return a row (path, shape, dtype) for every leaf: what a batch is, for messages and tables."""
    rows = []
    for path, leaf in leaves(nest):
        name = ".".join(str(key) for key in path) or "(batch)"
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
            rows.append((name, str(tuple(leaf.shape)), str(leaf.dtype).removeprefix("torch.")))
        else:
            rows.append((name, "", type(leaf).__name__))
    return rows
