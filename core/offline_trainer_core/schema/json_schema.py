"""The whole language as one JSON Schema, from installed metadata and source alone: what editors complete and check.

It is draft-07, which every editor's YAML support reads. What a file below, a template or local code may give is never
called missing or unknown; `ot check` sees the whole.
"""

from __future__ import annotations

from typing import Any

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.plan.sections import SECTIONS
from offline_trainer_core.schema.components import Component, installed_components
from offline_trainer_core.schema.frontends import frontend_schema
from offline_trainer_core.schema.language import definitions_of_the_language, reference
from offline_trainer_core.schema.sections import definitions_of_sections, top_level
from offline_trainer_core.schema.specs import definitions_of_specs, kinds_in
from offline_trainer_core.schema.whole import conditions_of_the_whole, definitions_of_the_whole

__all__ = ["json_schema"]

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"


def json_schema(registry: Registry, section: str | None = None) -> Schema:
    """Return the schema of experiments and model files, or of what a file under one `section` holds.

    Imports no component. Raises `KeyError` if there is no such section.
    """
    by_kind: dict[str, list[Component]] = {}
    for component in installed_components(registry):
        by_kind.setdefault(component.entry.kind, []).append(component)
    frontends = by_kind.pop("frontend", [])
    definitions = _definitions(by_kind, frontends, registry)
    whole = _experiment(by_kind) if section is None else _only(section)
    return {"$schema": DRAFT, **whole, "definitions": definitions}


def _experiment(by_kind: dict[str, list[Component]]) -> Schema:
    return {
        "title": "Offline Trainer",
        "description": "An experiment, a file that experiments stand on, or a model file.",
        "type": "object",
        "properties": top_level(),
        "patternProperties": {"^x-": {"description": "Values to interpolate from."}},
        "additionalProperties": False,
        "allOf": conditions_of_the_whole(by_kind),
    }


def _only(section: str) -> Schema:
    description = SECTIONS[section].description
    return {"title": f"Offline Trainer: {section}", "description": description, **reference(f"section.{section}")}


def _definitions(
    by_kind: dict[str, list[Component]], frontends: list[Component], registry: Registry
) -> dict[str, Schema]:
    places = {
        **definitions_of_sections({component.entry.name: component.summary for component in frontends}),
        **{component.definition: frontend_schema(component, registry, by_kind) for component in frontends},
        **{c.definition: c.schema(by_kind) for components in by_kind.values() for c in components},
        **_classes(by_kind),
    }
    return {
        **definitions_of_the_language(),
        **definitions_of_the_whole(by_kind),
        **definitions_of_specs(by_kind, kinds_in(places)),
        **places,
    }


def _classes(by_kind: dict[str, list[Component]]) -> dict[str, Schema]:
    """Return a definition for every class that an argument may name: what it takes after the first parameter."""
    kinds = {form.kind for components in by_kind.values() for c in components for _, form in c.named if form.kwargs}
    return {
        f"class.{component.definition}": component.arguments_after_first()
        for kind in sorted(kinds)
        for component in by_kind.get(kind, ())
    }
