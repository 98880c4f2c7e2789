"""The schema of a place where a spec stands: the names it may have, and the arguments that go with each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from offline_trainer_core.schema.components import Component, names_of
from offline_trainer_core.schema.language import SPECS_OF_RUN, all_of, one_of, reference, spec_of

__all__ = ["definitions_of_specs", "kinds_in"]

Schema = dict[str, Any]


def definitions_of_specs(by_kind: dict[str, list[Component]], places: Iterable[tuple[str, ...]]) -> dict[str, Schema]:
    """Return the definitions of specs: of any kind, and of the kinds that may stand together at one of `places`."""
    found: dict[str, Schema] = {}
    for kind, components in by_kind.items():
        found[f"key.{kind}"] = {"anyOf": names_of(components)}
        found[f"arguments.{kind}"] = {"allOf": [_chosen(component) for component in components]}
    for kind in sorted(_kinds_named_bare(by_kind)):
        found[f"name.{kind}"] = {"anyOf": names_of(by_kind.get(kind, ()), f"{kind}.") or [{"not": {}}]}
    for kinds in ((), *places):
        found[spec_of(*kinds)] = _spec(kinds, by_kind)
    return found


def kinds_in(schemas: dict[str, Schema]) -> list[tuple[str, ...]]:
    """Return the kinds of which one may stand at some place of `schemas`."""
    found = re.findall(r'"#/definitions/spec\.([\w.]+)"', json.dumps(schemas))
    return [tuple(kinds.split(".")) for kinds in dict.fromkeys(found)]


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
    return schema | all_of(reference(f"arguments.{kind}") for kind in shown)


def _other_name(kinds: Sequence[str], by_kind: dict[str, list[Component]]) -> Schema:
    """Return the schema of a name that is not installed, as local code may register it: of no other kind than these."""
    others = [kind for kind in by_kind if kind not in kinds] if kinds else []
    return {"type": "string", **({"pattern": rf"^(?!({'|'.join(others)})\.)"} if others else {})}
