"""From the form of an annotation to the JSON Schema of the values that fit it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from typing import Any

from offline_trainer_core.schema.language import DEFERRED, SPECIAL, interpolated, reference, spec_of
from offline_trainer_core.signature import Form, Parameter, forms, read_type

__all__ = ["default_of", "plain_schema", "value_schema"]

Schema = dict[str, Any]

SCALARS = {"int": "integer", "float": "number", "str": "string", "path": "string"}
LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def value_schema(parameter: Parameter, *, null_is_lazy: bool = False) -> Schema:
    """Return what may be given for `parameter`: what fits its annotation, its default, and what the language defers.

    `null_is_lazy`: null stands for a dimension that is inferred later.
    """
    form = read_type(parameter.annotation, module=parameter.module) if parameter.annotation else Form("")
    given = default_of(parameter)
    schemas = [_schema(member, null_is_lazy) for member in form.members() if not isinstance(member, forms.Object)]
    if given and form.fits(given[0]) is False:
        schemas.append({"const": given[0]})
    return _deferrable(form, schemas)


def plain_schema(annotation: str) -> Schema:
    """Return what may be given for a key of the language itself, whose type is `annotation`."""
    form = read_type(annotation)
    return _deferrable(form, [_schema(member, null_is_lazy=False) for member in form.members()])


def default_of(parameter: Parameter) -> list[Any]:
    """Return the default as YAML would spell it, in a list of one; an empty list where only running the code tells."""
    try:
        value = ast.literal_eval(parameter.default) if parameter.default else ...
        return [json.loads(json.dumps(value, allow_nan=False))]
    except (SyntaxError, ValueError, TypeError):
        return []


def _deferrable(form: Form, schemas: list[Schema]) -> Schema:
    """Return a schema that lets `schemas` through, components where `form` does, and what is settled later."""
    if {} in schemas:
        return {"if": reference(SPECIAL), "then": reference(spec_of())}
    objects = [member for member in form.members() if isinstance(member, forms.Object)]
    kinds = [member.kinds for member in objects]
    component = reference(spec_of() if None in kinds else spec_of(*(kind for some in kinds for kind in some or ())))
    if not schemas:
        return {"if": interpolated(), "else": {"type": "object", "allOf": [component]}}
    if all(
        isinstance(_bare(member), (forms.Scalar, forms.Choice, forms.Null, forms.Object)) for member in form.members()
    ):
        # Editors complete the values of alternatives, and not those of branches.
        made = {"if": {"type": "object"}, "then": component, "else": interpolated()}
        return {"anyOf": [_union(schemas), made if objects else reference(DEFERRED)]}
    return {"if": reference(SPECIAL), "then": component, "else": _union(schemas)}


def _bare(form: Form) -> Form:
    return _bare(form.inner) if isinstance(form, (forms.Bounded, forms.Named)) else form


def _schema(form: Form, null_is_lazy: bool) -> Schema:
    """Return the schema of one alternative; empty where that lets anything through."""
    if isinstance(form, forms.Null):
        return {"type": "null"}
    if isinstance(form, forms.Scalar) and form.name == "bool":
        return {"enum": [True, False]}  # which editors offer, as they do not for the type
    if isinstance(form, forms.Scalar):
        return {"type": ["integer", "null"] if null_is_lazy and form.name == "int" else SCALARS[form.name]}
    if isinstance(form, forms.Choice):
        return {"enum": list(form.values)}
    if isinstance(form, forms.Bounded):
        return {**_schema(form.inner, null_is_lazy), **{LIMITS[name]: limit for name, limit in form.bounds}}
    if isinstance(form, forms.Named):
        if isinstance(form.inner, forms.Choice):
            return _schema(form.inner, null_is_lazy)
        # A name that is not installed may be local code's: where there is none, `whole.py` refuses it.
        return {"anyOf": [reference(f"name.{form.kind}"), _schema(form.inner, null_is_lazy)]}
    return _collection(form, null_is_lazy)


def _collection(form: Form, null_is_lazy: bool) -> Schema:
    if isinstance(form, forms.Listing):
        return {"type": "array", **_optional("items", _inside(form.item, null_is_lazy))}
    if isinstance(form, forms.Row):
        return {"type": "array", "minItems": len(form.items), "maxItems": len(form.items)}
    if isinstance(form, forms.Pairs):
        return {"type": "object", **_optional("additionalProperties", _inside(form.item, null_is_lazy))}
    if isinstance(form, forms.Record):
        fields = {name: _inside(part, null_is_lazy) for name, part, _ in form.fields}
        return {"type": "object", "properties": fields, "additionalProperties": False}
    return {}


def _inside(form: Form, null_is_lazy: bool) -> Schema:
    members = [member for member in form.members() if not isinstance(member, forms.Object)]
    return _deferrable(form, [_schema(member, null_is_lazy) for member in members])


def _optional(key: str, schema: Schema) -> Schema:
    return {key: schema} if schema else {}


def _union(schemas: Iterable[Schema]) -> Schema:
    """Return one schema for several alternatives: of one `type` list where each has a type of its own."""
    alternatives: list[Schema] = []
    for schema in schemas:
        if schema not in alternatives:
            alternatives.append(schema)
    if len(alternatives) == 1:
        return alternatives[0]
    types = [name for schema in alternatives for name in _types(schema)]
    if len(set(types)) < len(types) or not all("type" in schema for schema in alternatives):
        return {"anyOf": alternatives}
    merged = {key: value for schema in alternatives for key, value in schema.items()}
    return {**merged, "type": types}


def _types(schema: Schema) -> list[str]:
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)
