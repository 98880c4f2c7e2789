"""Problems and source lines without the secrets that they would show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from offline_trainer_core.config.paths import split_path
from offline_trainer_core.config.secret_names import MASK, is_secret_path, without_secrets
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, child_of, walk
from offline_trainer_core.errors import Location, Problem

__all__ = ["concealed", "line_at"]

_LONGEST_LINE = 2000
"""Longer lines are not shown under a problem: nobody can read them."""


def line_at(sources: Mapping[str, str], location: Location | None) -> str | None:
    """Return the text of the line at `location`, without secrets; None where it is not known, or too long."""
    if location is None or location.file not in sources:
        return None
    lines = _lines(sources[location.file])
    line = lines[location.line - 1] if 0 < location.line <= len(lines) else ""
    return without_secrets(line) if len(line) <= _LONGEST_LINE else None


@lru_cache(maxsize=8)  # a text with a thousand problems is not divided a thousand times
def _lines(text: str) -> list[str]:
    return text.splitlines()


def concealed(problem: Problem, root: MappingNode, path: str, *, at_key: bool) -> Problem:
    """Return `problem`, which is about the value at `path`, without the secrets in that value."""
    node, secret = _at(root, path)
    hidden = sorted(_secrets(node, secret), key=len, reverse=True)
    if not hidden:
        return problem
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in hidden))
    line = problem.source_line
    if line is not None and problem.location is not None and not at_key and isinstance(node, ScalarNode):
        start = problem.location.column - 1
        shown = line[start : start + problem.width]
        line = line if "${" in shown else line[:start] + "*" * len(shown) + line[start + len(shown) :]
    return replace(
        problem,
        message=pattern.sub(MASK, problem.message),
        source_line=line,
        fix=pattern.sub(MASK, problem.fix) if problem.fix else None,
        notes=tuple(pattern.sub(MASK, note) for note in problem.notes),
    )


def _at(root: MappingNode, path: str) -> tuple[Node, bool]:
    """Return the node at `path`, or the nearest above it, and whether a key on the way is secret."""
    node: Node = root
    keys = split_path(path)
    for key in keys:
        child = child_of(node, key)
        if child is None:
            return root, False  # what is absent shows nothing
        node = child
    return node, is_secret_path(keys)


def _secrets(node: Node, secret: bool) -> Iterator[str]:
    """Yield the texts of the secret values in the value at a problem; those in the sections around it are not said."""
    if isinstance(node, MappingNode) and not secret:
        return
    for _, below in walk(node):
        if isinstance(below, ScalarNode) and (below.secret or secret) and not isinstance(below.value, bool | None):
            yield str(below.value)
