"""Two configurations beside each other: what differs in them, model files included, and in the code that they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, MappingNode, Node, SequenceNode, parent_path, split_path
from offline_trainer_core.config.dump import to_inline_yaml
from offline_trainer_core.explain.difference import Change, Masked, difference
from offline_trainer_core.explain.meanings import meaning_of
from offline_trainer_core.plan.names import Names, resolve_names
from offline_trainer_core.plan.plan import Plan

__all__ = ["Difference", "Subject", "code_of", "compare"]


@dataclass(frozen=True)
class Subject:
    """A configuration that is compared, and what its names stand for."""

    config: Config
    names: Names
    masked: Masked

    @classmethod
    def of(cls, config: Config, registry: Registry, masked: Masked = MappingProxyType({})) -> Subject:
        """Resolve the names of `config`, and put the model files that it names in their places."""
        names = resolve_names(config, registry)
        return cls(_with_model_files(config, names.plan), names, masked)


@dataclass(frozen=True)
class Difference:
    """One change, and whether the value that only one side sets is what holds on the other side in any case."""

    change: Change
    is_default: bool = False


def compare(a: Subject, b: Subject) -> tuple[Difference, ...]:
    """Return what differs between two configurations, however they came to it; see `difference`."""
    changes = difference(a.config, b.config, (a.masked, b.masked))
    return tuple(Difference(change, _is_default(change, a, b)) for change in changes)


def code_of(plan: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a plan (`Plan.to_json`) what `other` has too, so that they differ in code and not in configuration."""
    entries, others = plan.get("entries", {}), other.get("entries", {})
    same = {path for path in entries.keys() & others.keys() if entries[path]["key"] == others[path]["key"]}
    kept = {"entries": {path: entries[path] for path in same}}
    for part in ("distributions", "local"):
        kept[part] = {name: value for name, value in plan.get(part, {}).items() if name in other.get(part, {})}
    return kept


def _is_default(change: Change, a: Subject, b: Subject) -> bool:
    side, lacking = (change.after, a) if change.kind == "added" else (change.before, b)
    if change.kind not in ("added", "removed") or side is None:
        return False
    meaning = meaning_of(lacking.names, side.path)
    return meaning is not None and not meaning.required and meaning.default == to_inline_yaml(side.value)


def _with_model_files(config: Config, plan: Plan) -> Config:
    root: Node = config.root
    sources = dict(config.sources)
    for path, file in sorted(plan.model_files.items()):
        root = _put(root, split_path(parent_path(path)), file.root)
        sources |= file.sources
    assert isinstance(root, MappingNode)
    return replace(config, root=root, sources=sources)


def _put(node: Node, keys: tuple[str | int, ...], content: MappingNode) -> Node:
    """Return `node` with `config: <content>` in place of the `config_path` at `keys` below it."""
    if isinstance(node, SequenceNode) and keys:
        items = tuple(_put(item, keys[1:], content) if i == keys[0] else item for i, item in enumerate(node.items))
        return replace(node, items=items)
    if not isinstance(node, MappingNode):
        return node
    if keys:
        below = {key: _put(item, keys[1:], content) if key == keys[0] else item for key, item in node.items.items()}
        return replace(node, items=below)
    rest = {key: item for key, item in node.items.items() if key != "config_path"}
    return replace(node, items={**rest, "config": content})
