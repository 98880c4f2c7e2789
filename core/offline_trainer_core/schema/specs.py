"""The schema of a place where a spec stands: the names it may have, and the arguments that go with each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from offline_trainer_core.schema.components import Component, names_of
from offline_trainer_core.schema.language import SPECS_OF_RUN, one_of, reference, spec_of

__all__ = ["definitions_of_specs"]

Schema = dict[str, Any]


def definitions_of_specs(by_kind: dict[str, list[Component]], places: Iterable[tuple[str, ...]]) -> dict[str, Schema]:
    """Return the definitions of specs of any kind, of every kind, and of the kinds that may stand at `places`."""
    found: dict[str, Schema] = {}
    for kind, components in by_kind.items():
        found[f"key.{kind}"] = {"anyOf": names_of(components)}
        found[f"arguments.{kind}"] = {"allOf": [_chosen(component) for component in components]}
    for kind in sorted(_kinds_named_bare(by_kind)):
        found[f"name.{kind}"] = {"anyOf": names_of(by_kind.get(kind, ()), f"{kind}.") or [{"not": {}}]}
    for kinds in sorted({tuple(sorted(place)) for place in (*places, *((kind,) for kind in by_kind))}):
        found[spec_of(*kinds)] = _spec(kinds, by_kind)
    return {**found, spec_of(): _spec((), by_kind)}


def _kinds_named_bare(by_kind: dict[str, list[Component]]) -> set[str]:
    """Return the kinds whose components are named somewhere without their kind: `type: AdamW`, `strategy: ddp`."""
    named = {form.kind for components in by_kind.values() for c in components for _, form in c.named}
    return {*SPECS_OF_RUN, *named}


def _chosen(component: Component) -> Schema:
    """Return the condition that a spec which names `component` has its arguments."""
    named = {"properties": {"_type_": one_of(component.spellings)}, "required": ["_type_"]}
    return {"if": {"type": "object", **named}, "then": reference(component.definition)}


def _spec(kinds: Sequence[str], by_kind: dict[str, list[Component]]) -> Schema:
    """Return the schema of a spec. Without `_type_` it takes anything: a file below or a template may give the rest."""
    shown = [kind for kind in kinds or by_kind if kind in by_kind]
    schema: Schema = {
        "properties": {
            "_type_": {
                "description": "Key of the component to build.",
                "anyOf": [*(reference(f"key.{kind}") for kind in shown), _other_name(kinds, by_kind)],
            },
            "_args_": {"description": "Positional arguments."},
            "_kwargs_": {"description": "Keyword arguments whose names would collide with the language's words."},
            "_template_": {"description": "Name of a template to lie below this mapping.", "type": "string"},
        }
    }
    return schema | ({"allOf": [reference(f"arguments.{kind}") for kind in shown]} if shown else {})


def _other_name(kinds: Sequence[str], by_kind: dict[str, list[Component]]) -> Schema:
    """Return the schema of a name that is not installed, as local code may register it: of no other kind than these."""
    others = [kind for kind in by_kind if kind not in kinds] if kinds else []
    return {"type": "string", **({"pattern": rf"^(?!({'|'.join(others)})\.)"} if others else {})}
