"""What the language allows wherever a value may stand, as definitions: `${...}`, merge containers, templates, specs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = [
    "DEFERRED",
    "IS_SPEC",
    "SPECIAL",
    "SPECS_OF_RUN",
    "all_of",
    "definitions_of_the_language",
    "interpolated",
    "mergeable",
    "one_of",
    "reference",
    "spec_of",
]

Schema = dict[str, Any]

SPECS_OF_RUN = ("strategy", "launcher")
"""The keys of `run` that take a component of the kind of their name."""
DEFERRED = "deferred"
"""The definition of a value that is settled when the configuration is resolved."""
SPECIAL = "special"
"""The definition that tells what is deferred, or becomes an object, from plain values."""
SYNTAX = re.compile(r"[\\^$.|?*+()\[\]{}]")
"""What is syntax in regular expressions; JavaScript's refuse a backslash before anything else."""
IS_SPEC: Schema = {"anyOf": [{"required": [key]} for key in ("_type_", "_target_", "_template_")]}
"""The schema of a mapping that becomes an object, or may by its template."""


def reference(name: str) -> Schema:
    """Return the schema that stands for the definition `name`."""
    return {"$ref": f"#/definitions/{name}"}


def spec_of(*kinds: str) -> str:
    """Return the name of the definition of a spec of one of `kinds`, or of any where none is given."""
    return ".".join(("spec", *sorted(set(kinds))))


def interpolated() -> Schema:
    """Return the schema of a string with `${...}` in it."""
    return {"type": "string", "pattern": r"\$\{"}


def mergeable(name: str) -> Schema:
    """Return the schema of what fits the definition `name`, or is a merge container with it."""
    inside = {"allOf": [reference("container"), {"properties": {"_value_": reference(name)}}]}
    merged = {"type": "object", "required": ["_merge_"]}
    return {"if": merged, "then": inside, "else": reference(name)}


def all_of(schemas: Iterable[Schema]) -> Schema:
    """Return the schema of what fits all of `schemas`, of which there may be none."""
    found = list(schemas)
    return {"allOf": found} if found else {}


def one_of(names: Iterable[str]) -> Schema:
    """Return the schema of these strings, as a pattern: editors would list an `enum` over every value that it tests."""
    spelled = "|".join(SYNTAX.sub(r"\\\g<0>", name) for name in names)
    return {"pattern": f"^({spelled})$"}


def definitions_of_the_language() -> dict[str, Schema]:
    """Return the definitions that stand on no installed package."""
    container = {
        "description": "A merge container: how its value meets the value of the file below.",
        "properties": {
            "_merge_": {"description": "How to merge.", "enum": ["replace", "append", "prepend", "keyed"]},
            "_value_": {"description": "What is merged."},
            "key": {"description": "The field by which `keyed` finds items.", "type": "string"},
        },
        "required": ["_merge_", "_value_"],
        "additionalProperties": False,
    }
    return {
        "container": container,
        DEFERRED: {"if": {"type": "object"}, "then": reference("container"), "else": interpolated()},
        SPECIAL: {"anyOf": [interpolated(), {"type": "object", "anyOf": [{"required": ["_merge_"]}, IS_SPEC]}]},
    }
