"""From names to entries: resolves everything that a configuration mentions into a plan."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import Config, join_path
from offline_trainer_core.errors import ComponentError, Problem
from offline_trainer_core.plan.document import Mention
from offline_trainer_core.plan.imports import find_local_modules, find_plugins
from offline_trainer_core.plan.plan import Plan
from offline_trainer_core.plan.reading import component_signature
from offline_trainer_core.plan.readings import Finding, Reading, read_by
from offline_trainer_core.plan.resolution import Resolver
from offline_trainer_core.plan.sections import CLASS_KINDS
from offline_trainer_core.plan.survey import survey

__all__ = ["Names", "below", "resolve_names"]


@dataclass
class Names:
    """The plan, the mentions behind it, and everything that is wrong with names and forms."""

    plan: Plan
    resolved: list[tuple[Mention, Entry]] = field(default_factory=list)
    readings: list[tuple[Mention, Reading]] = field(default_factory=list)
    """What the readers of components say of them."""
    problems: list[Problem] = field(default_factory=list)


def resolve_names(config: Config, registry: Registry) -> Names:
    """Return the plan of `config` as far as its names can be resolved, and all problems on the way."""
    problems: list[Problem] = []
    local = find_local_modules(config, problems)
    known = registry.with_local(entry for module in local for entry in module.entries)
    found = survey(config, known)
    problems += found.problems
    names = Names(Plan({}), problems=problems)
    resolver = Resolver(known, config, local)
    for mention in found.mentions:
        _resolve(mention, resolver, names)
    entries = {mention.place: entry for mention, entry in names.resolved}
    names.plan = Plan({**entries, **find_plugins(config, known, problems)}, found.model_files, local)
    return names


def _resolve(mention: Mention, resolver: Resolver, names: Names) -> None:
    """Resolve `mention`, and what it mentions in turn: the class of a factory, the operations of a graph."""
    if mention.implied and mention.key == "strategy.ddp" and not resolver.registry.candidates(mention.key):
        return  # a run on one process does without
    entry = resolver.resolve(mention, names.problems)
    if entry is None:
        return
    names.resolved.append((mention, entry))
    further = _class_of_factory(mention, entry) if entry.kind in CLASS_KINDS else None
    if mention.factory is None:  # the arguments of a class are checked where they stand: in its factory's
        for reference in _read(mention, entry, resolver.registry, names):
            _resolve(reference, resolver, names)
    if further is not None:
        _resolve(further, resolver, names)


def _class_of_factory(mention: Mention, entry: Entry) -> Mention | None:
    """Return the mention of the optimizer or scheduler class that a factory's `type` names, or has as its default."""
    _, kwargs, paths = mention.arguments()
    name = kwargs.get("type", _default_type(mention, entry))
    if mention.spec is None or not isinstance(name, str):
        return None
    prefix = f"{CLASS_KINDS[entry.kind]}."
    caret = paths.get("type", mention.caret)
    path = join_path(mention.path, "type")
    return Mention(
        mention.document, path, f"{prefix}{name.removeprefix(prefix)}", caret=caret, prefix=prefix, factory=mention
    )


def _default_type(mention: Mention, entry: Entry) -> Any:
    signature = component_signature(entry, ())
    parameter = signature.find("type") if signature is not None else None
    try:
        return ast.literal_eval(parameter.default) if parameter is not None and parameter.default else None
    except (SyntaxError, ValueError):
        return None


def _read(mention: Mention, entry: Entry, registry: Registry, names: Names) -> Iterator[Mention]:
    """Let the reader of a component read its arguments; yield the components that it names in its own way."""
    reader = registry.reader(entry)
    arguments = _readable(mention, entry)
    if reader is None or arguments is None:
        return
    try:
        reading = read_by(reader.load(), arguments)
    except ComponentError as error:
        names.problems.append(mention.problem("reader-failed", str(error)))
        return
    except Exception as error:
        message = (
            f"the reader of {entry.key} ({reader.label}, {reader.reference}) failed: {type(error).__name__}: {error}"
        )
        names.problems.append(mention.problem("reader-failed", message))
        return
    names.readings.append((mention, reading))
    names.problems += [_located(mention, finding) for finding in reading.problems]
    for place, key in reading.references:
        path = below(mention.path, place)
        yield Mention(mention.document, path, key, caret=path)


def _readable(mention: Mention, entry: Entry) -> Mapping[str, Any] | None:
    """Return a frontend's definition, or the arguments of any other component; None where a reader has no name for
    them.
    """
    if entry.kind == "frontend":
        definition = mention.document.config.plain(mention.path)
        return definition if isinstance(definition, Mapping) else {}
    positional, arguments, _ = mention.arguments()
    return None if positional else arguments


def _located(mention: Mention, finding: Finding) -> Problem:
    place, at_key = below(mention.path, finding.where), finding.code.startswith("unknown-key")
    return mention.document.problem(
        finding.code, finding.message, place, at_key=at_key, suggestion=finding.suggestion
    )


def below(path: str, relative: str) -> str:
    """Return the place that a reader calls `relative` in the text whose component is at `path`."""
    return f"{path}{relative}" if relative.startswith("[") else ".".join(part for part in (path, relative) if part)
