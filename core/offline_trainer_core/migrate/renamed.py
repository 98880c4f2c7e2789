"""Rewrites names that packages renamed, in the texts where they stand; all else stays as it is, to the letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, MappingNode, Node, ScalarNode, SequenceNode, split_path, try_resolve
from offline_trainer_core.errors import ConfigError, Location, Problem
from offline_trainer_core.plan import check_config_tree

__all__ = ["Renaming", "rename"]

_MOST_ROUNDS = 20


@dataclass
class Renaming:
    """What was renamed in a configuration and in the files that it stands on."""

    texts: dict[str, str] = field(default_factory=dict)
    """The new text of every file that changes."""
    moved: list[tuple[Location, str, str]] = field(default_factory=list)
    """Where, the old name, and the new one."""
    problems: list[Problem] = field(default_factory=list)
    """Names of before that must be mended by hand."""


def rename(source: str | Config, registry: Registry) -> Renaming:
    """Return the texts of `source`, and of what it includes, with the names of today.

    What the new name of a component uncovers, such as renamed arguments, is renamed too. Raises `ConfigError` where
    the configuration cannot be read.
    """
    config, problems = try_resolve(source)
    if config is None:
        raise ConfigError(problems)
    found = Renaming()
    edits: dict[Location, tuple[str, str]] = {}
    for _ in range(_MOST_ROUNDS):
        report = check_config_tree(config, registry)
        old = [problem for problem in report.problems if problem.code in ("renamed", "removed")]
        found.problems = [problem for problem in old if not _is_written(problem, config)]
        rewritable = [problem for problem in old if problem not in found.problems]
        if not rewritable:
            break
        for problem in rewritable:
            assert problem.location is not None
            assert problem.suggestion is not None
            first = edits.get(problem.location, (_token(problem), ""))[0]
            edits[problem.location] = first, problem.suggestion
            config = replace(config, root=_renamed(config.root, split_path(problem.config_path), problem))
    for place in sorted(edits, reverse=True):
        before, after = edits[place]
        text = found.texts.get(place.file, config.sources[place.file])
        found.texts[place.file] = _replaced(text, place, before, after)
        found.moved.insert(0, (place, before, after))
    for file in report.plan.model_files.values():
        _add(found, rename(next(iter(file.sources)), registry))
    return found


def _add(found: Renaming, other: Renaming) -> None:
    found.texts |= other.texts
    found.moved += other.moved
    found.problems += [problem for problem in other.problems if problem not in found.problems]


def _token(problem: Problem) -> str:
    """Return what stands in the text where `problem` is."""
    assert problem.location is not None
    rest = (problem.source_line or "")[problem.location.column - 1 :]
    quoted = _QUOTED.match(rest)
    return quoted[0] if quoted else rest[: problem.width]


_QUOTED = re.compile(r""" "[^"]*" | '[^']*' """, re.VERBOSE)


def _is_written(problem: Problem, config: Config) -> bool:
    """Whether the old name stands in a file as it is, and not by way of an override, a template's name or `${...}`."""
    place = problem.location
    if place is None or place.file not in config.files or problem.suggestion is None:
        return False
    written = _token(problem).strip("'\"")
    return f"'{written}'" in problem.message and "${" not in written


def _renamed(node: Node, path: Sequence[str | int], problem: Problem) -> MappingNode:
    renamed = _with_new_name(node, path, problem)
    assert isinstance(renamed, MappingNode)
    return renamed


def _with_new_name(node: Node, path: Sequence[str | int], problem: Problem) -> Node:
    """Return `node` with the new name at `path`: that of a key if the problem is at the key, else a value."""
    new = problem.suggestion or ""
    if isinstance(node, ScalarNode):
        return replace(node, value=new)
    head, *rest = path
    if isinstance(node, SequenceNode):
        items = [_with_new_name(item, rest, problem) if i == head else item for i, item in enumerate(node.items)]
        return replace(node, items=tuple(items))
    is_key = not rest and node.key_locations.get(str(head)) == problem.location
    changed: dict[str, Node] = {}
    places: dict[str, Location] = {}
    for key, item in node.items.items():
        name = new if is_key and key == head else key
        changed[name] = _with_new_name(item, rest, problem) if key == head and not is_key else item
        if key in node.key_locations:
            places[name] = node.key_locations[key]
    return replace(node, items=changed, key_locations=places)


def _replaced(text: str, place: Location, before: str, after: str) -> str:
    """Return `text` with the token `before` at `place` replaced, in the quotes that it has."""
    lines = text.splitlines(keepends=True)
    line = lines[place.line - 1]
    start = place.column - 1
    quote = before[0] if before[:1] in ("'", '"') else ""
    lines[place.line - 1] = f"{line[:start]}{quote}{after}{quote}{line[start + len(before) :]}"
    return "".join(lines)
