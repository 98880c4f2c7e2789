"""From names to entries: resolves everything that a configuration mentions into a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import Config, Found, MappingNode, has_unknown, to_plain
from offline_trainer_core.errors import ComponentError, Problem
from offline_trainer_core.plan.document import Mention, below, is_open
from offline_trainer_core.plan.imports import find_local_modules, find_plugins
from offline_trainer_core.plan.named import named_by
from offline_trainer_core.plan.plan import Plan
from offline_trainer_core.plan.reading import component_signature
from offline_trainer_core.plan.readings import Finding, Reading, read_by
from offline_trainer_core.plan.resolution import Resolver
from offline_trainer_core.plan.survey import survey
from offline_trainer_core.signature import Signature

__all__ = ["Names", "resolve_names"]


@dataclass
class Names:
    """The plan, the mentions behind it, and everything that is wrong with names and forms."""

    plan: Plan
    resolved: list[tuple[Mention, Entry]] = field(default_factory=list)
    readings: list[tuple[Mention, Reading]] = field(default_factory=list)
    """What the readers of components say of them."""
    problems: Found = field(default_factory=Found)
    folders: tuple[str, ...] = ()
    """Where local modules are."""
    renames: tuple[Entry, ...] = ()
    """The tables of what was called otherwise before."""
    _signatures: dict[tuple[str, str, str], Signature | None] = field(default_factory=dict)

    def signature(self, entry: Entry) -> Signature | None:
        """Return what the component takes, or None where its source cannot tell."""
        known = (entry.key, entry.reference, entry.distribution)
        if known not in self._signatures:
            self._signatures[known] = component_signature(entry, self.folders)
        return self._signatures[known]


def resolve_names(config: Config, registry: Registry) -> Names:
    """Return the plan of `config` as far as its names can be resolved, and all problems on the way."""
    problems = Found()
    local = find_local_modules(config, problems)
    known = registry.with_local(entry for module in local for entry in module.entries)
    found = survey(config, known)
    problems += found.problems
    folders = tuple(module.folder for module in local if module.folder is not None)
    names = Names(Plan({}), problems=problems, folders=folders, renames=known.renames)
    resolver = Resolver(known, config, local)
    for mention in found.mentions:
        _resolve(mention, resolver, names)
    entries = {mention.place: entry for mention, entry in names.resolved}
    names.plan = Plan({**entries, **find_plugins(config, known, problems)}, found.model_files, local)
    return names


def _resolve(mention: Mention, resolver: Resolver, names: Names) -> None:
    """Resolve `mention`, and what it mentions in turn: the class of a factory, the operations of a graph."""
    if names.problems.is_full:
        return
    if mention.implied and mention.key == "strategy.ddp" and not resolver.registry.candidates(mention.key):
        return  # a run on one process does without
    entry = resolver.resolve(mention, names.problems)
    if entry is None:
        return
    names.resolved.append((mention, entry))
    if mention.factory is None:  # the arguments of a class are checked where they stand: in its factory's
        for reference in _read(mention, entry, resolver.registry, names):
            _resolve(reference, resolver, names)
        signature = names.signature(entry) if mention.spec is not None else None
        if signature is not None:
            for named in named_by(mention, signature, resolver, names.folders):
                _resolve(named, resolver, names)


def _read(mention: Mention, entry: Entry, registry: Registry, names: Names) -> Iterator[Mention]:
    """Let the reader of a component read its arguments; yield the components that it names in its own way."""
    reader = registry.reader(entry)
    arguments = _readable(mention, entry) if reader is not None else None
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
    names.problems += (_located(mention, finding) for finding in reading.problems)
    for place, key in reading.references:
        path = below(mention.path, place)
        yield Mention(mention.document, path, key, caret=path)


def _readable(mention: Mention, entry: Entry) -> Mapping[str, Any] | None:
    """Return a frontend's definition, or the arguments of any other component.

    None where a reader has no name for them, or where a reported problem leaves open what they are.
    """
    if entry.kind == "frontend":
        node = mention.document.config.find(mention.path)
        if node is None or is_open(node):
            return None
        definition = to_plain(node)
        return definition if isinstance(definition, Mapping) else {}
    positional, arguments, _ = mention.arguments()
    is_known = mention.spec is None or not has_unknown(mention.spec)
    return arguments if is_known and not positional else None


def _located(mention: Mention, finding: Finding) -> Problem:
    place = below(mention.path, finding.where)
    # Of a mapping, the key says which; a key that is wrong is wrong itself.
    at_key = finding.code.startswith("unknown-key") or isinstance(mention.document.config.find(place), MappingNode)
    return mention.document.problem(finding.code, finding.message, place, at_key=at_key, suggestion=finding.suggestion)
