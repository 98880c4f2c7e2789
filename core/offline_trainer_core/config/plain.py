"""Plain Python values to nodes: a configuration that is passed as a dict, or JSON from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.limits import MAX_DEPTH, MAX_DIGITS
from offline_trainer_core.config.paths import join_path
from offline_trainer_core.config.secret_names import secrets_in
from offline_trainer_core.config.tree import MappingNode, Node, Scalar, ScalarNode, SequenceNode
from offline_trainer_core.errors import UNKNOWN

__all__ = ["from_plain"]

_LARGEST_INTEGER = 10**MAX_DIGITS


def from_plain(value: Any, like: ScalarNode, findings: Findings, path: str = "", depth: int = 0) -> Node:
    """Return `value` as nodes with the location, directive and secrecy of `like`.

    What cannot stand in a configuration is reported and becomes `UNKNOWN`.
    """
    if value is None or isinstance(value, (str, int, float)):
        secret = like.secret or (isinstance(value, str) and any(secrets_in(value)))
        return replace(like, value=_scalar(value, like, findings, path), secret=secret)
    if depth > MAX_DEPTH:
        findings.at(like, "too-deep", f"nested more than {MAX_DEPTH} levels deep")
    elif isinstance(value, Mapping):
        items = {
            key: from_plain(item, like, findings, join_path(path, key), depth + 1)
            for key, item in value.items()
            if _is_key(key, like, findings, path)
        }
        is_complete = len(items) == len(value)
        return MappingNode(items, like.location, {}, like.directive, like.replaced, is_complete)
    elif isinstance(value, (list, tuple)):
        elements = [from_plain(item, like, findings, join_path(path, i), depth + 1) for i, item in enumerate(value)]
        return SequenceNode(tuple(elements), like.location, like.directive, like.replaced)
    else:
        allowed = "dicts with string keys, lists, strings, numbers, booleans, None"
        message = f"a {type(value).__name__} cannot stand in a configuration"
        findings.at(like, "bad-value", message, path, allowed=allowed)
    return replace(like, value=UNKNOWN)


def _scalar(value: str | float | None, like: ScalarNode, findings: Findings, path: str) -> Scalar:
    """Return `value` without the subclass that it may be of, such as `np.float64` or an enum of strings."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if abs(value) >= _LARGEST_INTEGER:
            findings.at(like, "too-large", f"an integer may have at most {MAX_DIGITS} digits", path)
            return UNKNOWN
        return int(value)
    return float(value)


def _is_key(key: Any, like: ScalarNode, findings: Findings, path: str) -> bool:
    if not isinstance(key, str):
        findings.at(like, "bad-key", f"keys are strings, and {key!r} is of type {type(key).__name__}", path)
    return isinstance(key, str)
