"""The schema of the top level, section by section, from the table of the language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline_trainer_core.plan.sections import RUN, SECTIONS, SETTINGS, Field, Section
from offline_trainer_core.schema.language import IS_SPEC, SPECS_OF_RUN, interpolated, mergeable, reference, spec_of
from offline_trainer_core.schema.models import definitions_of_models, field_schema
from offline_trainer_core.schema.values import plain_schema

__all__ = ["definitions_of_sections", "top_level"]

Schema = dict[str, Any]

FIELDS = {"settings": SETTINGS, "run": RUN}


def top_level() -> dict[str, Schema]:
    """Return the schema of every key of the top level."""
    found = {key: _section(key, section) for key, section in SECTIONS.items()}
    files: Schema = {"description": "Files that this one stands on, later over earlier.", "type": "array"}
    files["items"] = {"type": ["string", "object"]}
    templates = {"description": "Mappings that `_template_: name` puts below others.", "type": "object"}
    return {**found, "defaults": files, "templates": {**templates, "additionalProperties": reference(spec_of())}}


def definitions_of_sections(frontends: Mapping[str, str]) -> dict[str, Schema]:
    """Return a definition `section.<key>` for every section; `frontends` are the installed ones and their summaries."""
    found = {f"section.{key}": _content(key, section) for key, section in SECTIONS.items() if section.form != "model"}
    return found | definitions_of_models(frontends)


def _section(key: str, section: Section) -> Schema:
    about: Schema = {"description": section.description}
    if section.default is not None:
        about["default"] = section.default
    if section.form == "values":
        return about | (plain_schema(section.annotation) if section.annotation else {})
    return about | {"if": interpolated(), "else": mergeable(f"section.{key}")}


def _content(key: str, section: Section) -> Schema:
    """Return the schema of a section without interpolation and merge containers."""
    if section.form == "values":
        return plain_schema(section.annotation) if section.annotation else {}
    if section.form == "fields":
        return _fields(FIELDS[key])
    spec = reference(spec_of(*section.kinds))
    if section.form == "specs":
        item = {"if": interpolated(), "else": {"type": "object", "allOf": [spec]}}
        return {"type": ["array", "null"], "items": item}
    if section.form == "named":
        named = {"additionalProperties": {"if": {"type": "object"}, "then": spec}, "properties": {"_type_": True}}
        return {"type": ["object", "null"], "if": IS_SPEC, "then": spec, "else": named}
    return {"type": ["object", "null"], "allOf": [spec]}


def _fields(table: Mapping[str, Field]) -> Schema:
    fields = {key: _special(key, field) or field_schema(field) for key, field in table.items()}
    return {"type": "object", "properties": {**fields, "_template_": {"type": "string"}}, "additionalProperties": False}


def _special(key: str, field: Field) -> Schema | None:
    """Return the schema of a field of `run` that takes a component, by a name without its kind or as a spec."""
    if key not in SPECS_OF_RUN:
        return None
    spec = {"type": "object", "allOf": [reference(spec_of(key))]}
    forms = [reference(f"name.{key}"), {"type": ["string", "null"]}, spec]
    return {"description": field.description, "anyOf": forms}
