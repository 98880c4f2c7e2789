"""The schema of `model`: a spec, a frontend, a file or its content, or several of these under `components`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline_trainer_core.plan.sections import MODEL_OPTIONS, SECTIONS, Field
from offline_trainer_core.schema.language import DEFERRED, IS_SPEC, interpolated, mergeable, reference, spec_of
from offline_trainer_core.schema.values import plain_schema

__all__ = ["definitions_of_models", "field_schema"]

Schema = dict[str, Any]


def definitions_of_models(frontends: Mapping[str, str]) -> dict[str, Schema]:
    """Return the definitions of the section `model`, of one of several models, and of what a model file holds.

    `frontends` are the installed ones by name, with what each is for.
    """
    forms: Schema = {name: _frontend(name, summary) for name, summary in frontends.items()}
    files: Schema = {
        "config_path": {"description": "A model file, relative to this one.", "type": "string"},
        "config": {
            "description": "What a model file holds.",
            "if": reference(DEFERRED),
            "else": reference("model.file"),
        },
    }
    options = {key: field_schema(field) for key, field in MODEL_OPTIONS.items()}
    several = {"type": "object", "additionalProperties": mergeable("model.component")}
    about = "Several models by name."
    components = {"components": {"description": about, "if": reference(DEFERRED), "else": several}}
    return {
        "section.model": _model({**forms, **files, **components}),
        "model.component": {"properties": options, **_model({**forms, **files, **options})},
        "model.file": _file(_model(forms)),
    }


def field_schema(field: Field) -> Schema:
    """Return the schema of a key of the language itself."""
    about: Schema = {"description": field.description}
    return about | ({} if field.default is None else {"default": field.default}) | plain_schema(field.annotation)


def _model(forms: Schema) -> Schema:
    spec = reference(spec_of(*SECTIONS["model"].kinds))
    by_name = {"_type_": {"description": "Key of the component to build."}, **forms}
    return {
        "type": ["object", "string"],
        "if": {"anyOf": [interpolated(), {"type": "object", **IS_SPEC}]},
        "then": spec,
        "else": {"type": "object", "properties": by_name, "additionalProperties": False},
    }


def _frontend(name: str, summary: str) -> Schema:
    return {"description": summary, "if": reference(DEFERRED), "else": reference(f"frontend.{name}")}


def _file(model: Schema) -> Schema:
    """Return the schema of a mapping that holds what a model file holds."""
    return {
        "type": "object",
        "properties": {"schema_version": {"const": 1}, "model": model, "params": True},
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
    }
