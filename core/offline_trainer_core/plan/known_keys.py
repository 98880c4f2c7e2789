"""What an override that names nothing was probably meant to be, among the keys that could be set where it points."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from offline_trainer_core.config import Config, MappingNode, join_path, parent_path, split_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.arguments import inner_signature
from offline_trainer_core.plan.calls import Call, calls_of
from offline_trainer_core.plan.names import Names
from offline_trainer_core.plan.sections import RUN, SECTIONS, SETTINGS
from offline_trainer_core.spelling import listing, nearest

__all__ = ["with_known_keys"]

_TABLES: Mapping[str, Iterable[str]] = {"": SECTIONS, "run": RUN, "settings": SETTINGS}


def with_known_keys(problems: Iterable[Problem], config: Config, names: Names) -> Iterator[Problem]:
    """Yield `problems`; an override whose path is unknown gets the nearest that could be set, and what to type."""
    for problem in problems:
        is_override = problem.location is not None and problem.location.file.startswith("<override ")
        yield _with_nearest(problem, config, names) if problem.code == "unknown-path" and is_override else problem


def _with_nearest(problem: Problem, config: Config, names: Names) -> Problem:
    typed, parent = problem.source_line or "", parent_path(problem.config_path)
    key, holder, known = split_path(problem.config_path)[-1], config.find(parent), _keys_below(parent, names)
    if not known or key in known or typed.startswith("~") or not isinstance(holder, MappingNode):
        return problem
    meant = nearest(str(key), [*holder.items, *known])
    if meant is None:  # what is no argument is not to be added, either
        return replace(problem, allowed=listing(known, 20), fix=problem.fix if problem.suggestion else None)
    path = join_path(parent, meant)
    value = typed.removeprefix("+").removeprefix(problem.config_path)
    fix = shlex.quote(f"{'' if meant in holder.items else '+'}{path}{value}")
    return replace(problem, suggestion=path, allowed=listing(known, 20), fix=fix)


def _keys_below(path: str, names: Names) -> list[str]:
    """Return the keys that the mapping at `path` may have; nothing where that is not known."""
    if path in _TABLES:
        return list(_TABLES[path])
    for call in calls_of(names):
        signature = names.signature(call.entry) if _holder(call) == path and not call.mention.document.prefix else None
        if signature is not None and not signature.accepts_any:
            return list(inner_signature(call, signature).names)
    return []


def _holder(call: Call) -> str:
    """Return the path of the mapping that holds the keyword arguments."""
    mention = call.mention
    return mention.path if mention.factory is None else join_path(mention.factory.path, mention.passes[1])
