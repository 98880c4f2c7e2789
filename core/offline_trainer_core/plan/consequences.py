"""Leaves out what only follows from another problem: users mend causes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from offline_trainer_core.config import (
    Config,
    MappingNode,
    Node,
    has_unknown,
    is_unknown,
    join_path,
    parent_path,
    split_path,
)
from offline_trainer_core.errors import Problem

__all__ = ["without_consequences"]

_BLAMED: Mapping[str, tuple[str, ...]] = {
    "distribution-not-allowed": ("settings.allowed_distributions",),
    "frozen-optimizer": ("model.components",),
    "import-not-allowed": ("settings.allowed_import_prefixes", "settings.allow_imports"),
    "missing-section": ("algorithm",),
    "missing-section data": ("trainer",),
    "precision-device": ("run.device", "run.precision"),
    "scheduler-names": ("optimizer",),
    "target-not-allowed": ("settings.allow_target",),
    "unknown-component": ("imports", "settings.allowed_distributions"),
    "unknown-model-component": ("model.components",),
    "unknown-optimizer": ("optimizer",),
}
"""By the code of a problem, and its path where that matters, the places elsewhere that decide whether there is one:
what is wrong there comes first."""
_ABSENT = ("missing-argument", "missing-key", "missing-monitor", "missing-section", "missing-type", "one-form")
"""Codes of what is absent from a mapping."""
_CAUSES = frozenset(
    (
        *("bad-cast", "bad-character", "bad-defaults", "bad-encoding", "bad-expression", "bad-key", "bad-merge"),
        *("bad-override", "bad-tag", "bad-template", "bad-value", "cycle", "duplicate-key", "empty-file", "merge-key"),
        *("missing-environment-variable", "missing-file", "multiple-documents", "not-a-mapping", "too-deep"),
        *("too-large", "too-many-problems", "unknown-path", "unknown-tag", "unknown-template", "unreadable-file"),
        "yaml-syntax",
    )
)
"""Codes of resolution: why values are unknown, and so never what follows from it."""
_PASSED_ON = ("_args_", "_kwargs_", "args", "kwargs")
"""Keys whose values hold the arguments of a component."""


def without_consequences(
    problems: Iterable[Problem], config: Config, model_files: Mapping[str, Config] = {}
) -> list[Problem]:
    """Return those of `problems` that hold whatever the values turn out to be that other problems leave open."""
    found = list(problems)
    paths = {problem.config_path for problem in found}
    misspelled = {meant for problem in found for meant in _meant(problem)}
    misplaced = {problem.config_path for problem in found if problem.code == "spec-in-data"}
    reserved = {problem.config_path for problem in found if problem.code == "reserved-key"}
    kept = []
    for problem in found:
        inner, path = _document(problem, config, model_files)
        places = _BLAMED.get(f"{problem.code} {path}") or _BLAMED.get(problem.code, ())
        blamed = (place for place in places if not path.startswith(place))
        if problem.code in _CAUSES or not (
            _is_about_unknown(problem, inner, path)
            or (problem.code in _ABSENT and problem.config_path in misspelled)
            or (problem.code != "reserved-key" and problem.config_path in reserved)
            or (problem.code == "wrong-type" and problem.config_path.removesuffix("._type_") in misplaced)
            or any(_is_open(place, config, paths, misspelled) for place in blamed)
        ):
            kept.append(problem)
    return kept


def _document(problem: Problem, config: Config, model_files: Mapping[str, Config]) -> tuple[Config, str]:
    """Return the text that `problem` is in, and its path there."""
    for prefix, file in model_files.items():
        if problem.config_path == prefix or problem.config_path.startswith(f"{prefix}."):
            return file, problem.config_path[len(prefix) + 1 :]
    return config, problem.config_path


def _meant(problem: Problem) -> Iterator[str]:
    """Yield the path that a misspelled key was meant to be, and the mapping that lacks its form because of it."""
    if problem.code == "unknown-key" and problem.suggestion:
        parent = parent_path(problem.config_path)
        yield join_path(parent, problem.suggestion)
        if parent.partition(".")[0] == "model":
            yield parent
    if problem.code == "reserved-key" and problem.suggestion in ("_type_", "_target_"):
        yield parent_path(problem.config_path)


def _is_about_unknown(problem: Problem, config: Config, path: str) -> bool:
    """Whether nobody knows the value that a problem is about, or all keys of the mapping that lacks one."""
    node = config.find(path)
    if node is None:
        above = config.find(parent_path(path)) if path else None
        return problem.code in _ABSENT and _lacks_keys(above)
    is_at_key = path != "" and problem.location is not None and problem.location != node.location
    if problem.code == "reader-failed":
        return has_unknown(node)
    if problem.code in _ABSENT:
        parts = [node.get(key) for key in _PASSED_ON] if isinstance(node, MappingNode) else []
        holder = config.find(parent_path(path)) if problem.code == "missing-type" and is_at_key else None
        return any(map(_lacks_keys, (node, holder, *parts)))
    return _lacks_keys(node) and not is_at_key


def _lacks_keys(node: Node | None) -> bool:
    return is_unknown(node) or (isinstance(node, MappingNode) and not node.is_complete)


def _is_open(place: str, config: Config, faults: set[str], misspelled: set[str]) -> bool:
    """Whether something is wrong at `place`, so that what it decides is not known."""
    keys = split_path(place)
    holders = [config.find(".".join(map(str, keys[: depth + 1]))) for depth in range(len(keys))]
    below = holders[-1]
    is_faulty = any(path in (place, f"{place}._type_") or path.startswith(f"{place}[") for path in faults)
    is_unclear = any(map(_lacks_keys, (*holders, config.root))) or (below is not None and _has_open_items(below))
    return is_unclear or is_faulty or place in misspelled


def _has_open_items(node: Node) -> bool:
    return not isinstance(node, MappingNode) and has_unknown(node)
