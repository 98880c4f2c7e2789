"""What holds of a file that stands alone, and not of one that others complete: nothing is unknown or missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from offline_trainer_core.plan.sections import RUN, SECTIONS
from offline_trainer_core.schema.components import Component
from offline_trainer_core.schema.language import SPECS_OF_RUN, all_of, one_of, reference

__all__ = ["conditions_of_the_whole", "definitions_of_the_whole"]

Schema = dict[str, Any]

SPECS = [key for key, section in SECTIONS.items() if section.form in ("spec", "specs", "named", "model")]
REQUIRED = [key for key, section in SECTIONS.items() if section.required]
"""The sections that tell a whole experiment from a file that others stand on."""
RESERVED = r"^_(?!(type|target|args|kwargs|template|merge|value)_$)[A-Za-z0-9]+(_[A-Za-z0-9]+)*_$"


def conditions_of_the_whole(by_kind: Mapping[str, list[Component]]) -> list[Schema]:
    """Return the conditions of the top level under which the definitions below hold."""
    own = {"not": {"anyOf": [{"required": ["defaults"]}, {"required": ["imports"]}]}}
    whole = {"not": {"required": ["defaults"]}, "required": REQUIRED}
    lax = {"properties": {"settings": {"properties": {"strict": {"const": False}}, "required": ["strict"]}}}
    named = {"properties": {kind: _known(by_kind, kind) for kind in SPECS_OF_RUN}}
    run = {"required": [key for key, field in RUN.items() if field.required]}
    return [
        {"if": own, "then": {"properties": _everywhere("installed", named)}},
        {"if": whole, "then": {"properties": _everywhere("complete", run)}},
        {"if": {**lax, "required": ["settings"]}, "else": {"properties": _everywhere("unreserved")}},
    ]


def definitions_of_the_whole(by_kind: Mapping[str, list[Component]]) -> dict[str, Schema]:
    """Return the definitions that walk down a whole file."""
    components = [component for components in by_kind.values() for component in components]
    # As patterns, because editors offer what `properties` names, and here it is only looked at.
    name = {"patternProperties": {"^_type_$": _message("key", [s for c in components for s in c.spellings])}}
    elsewhere = [{"required": [key]} for key in ("_template_", "_args_", "_kwargs_")]
    given = {"type": "object", "required": ["_type_"], "not": {"anyOf": elsewhere}}
    return {
        "installed": _down("installed", {"allOf": [name, *_named(components, by_kind)]}),
        "complete": _down("complete", {"if": given, "then": all_of(_required(components))}),
        "unreserved": _down("unreserved", {"patternProperties": {RESERVED: False}}),
    }


def _down(name: str, here: Schema) -> Schema:
    """Return a schema that holds `here` and at everything below."""
    return {"allOf": [here], "additionalProperties": reference(name), "items": reference(name)}


def _everywhere(name: str, of_run: Schema | None = None) -> Schema:
    """Return the sections that name components, each with the definition `name`; `of_run` holds of `run` besides."""
    return {**{key: reference(name) for key in SPECS}, "run": {"allOf": [reference(name), of_run or {}]}}


def _named(components: Iterable[Component], by_kind: Mapping[str, list[Component]]) -> Iterator[Schema]:
    """Yield the conditions that what an argument names is installed."""
    for component in components:
        for name, form in component.named:
            chosen = {"properties": {"_type_": one_of(component.spellings)}, "required": ["_type_"]}
            known = {"patternProperties": {f"^{name}$": _known(by_kind, form.kind)}}
            yield {"if": {"type": "object", **chosen}, "then": known}


def _known(by_kind: Mapping[str, list[Component]], kind: str) -> Schema:
    """Return the schema of the name of an installed component of `kind`, with the kind or without."""
    spellings = [spelling for component in by_kind.get(kind, ()) for spelling in component.spellings]
    return _message(kind, [*spellings, *(spelling.removeprefix(f"{kind}.") for spelling in spellings)])


def _message(what: str, names: Iterable[str]) -> Schema:
    message = f"No installed package provides this {what}: `ot check` says what is near, `ot components` lists them."
    known = one_of(sorted(set(names)))["pattern"]
    return {"pattern": rf"{known}|@|\$\{{", "patternErrorMessage": message}


def _required(components: Iterable[Component]) -> Iterator[Schema]:
    """Yield, for every set of arguments that must be given, the condition that some components need it."""
    needing: dict[tuple[str, ...], list[str]] = {}
    for component in components:
        if component.required:
            needing.setdefault(component.required, []).extend(component.spellings)
    for required, names in needing.items():
        yield {"if": {"properties": {"_type_": one_of(names)}}, "then": {"required": list(required)}}
