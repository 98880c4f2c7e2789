"""Reads what stands in the place of a value: `$name` refers, `$$text` is the literal `$text`, all else is itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline_trainer_core import join_path
from ot_policy_constructor.ir.program import Reference
from ot_policy_constructor.ir.reading import NAME, Findings, describe


def read_value(value: Any, path: str, findings: Findings) -> Any:
    """Return `value` with a `Reference` for each `$name`, also inside nested lists and mappings."""
    if isinstance(value, str):
        return _read_text(value, path, findings)
    if isinstance(value, Mapping):
        return {
            _literal(key, path, findings): read_value(item, join_path(path, str(key)), findings)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [read_value(item, join_path(path, index), findings) for index, item in enumerate(value)]
    return _literal(value, path, findings)


def read_arguments(fields: Mapping[str, Any], path: str, findings: Findings) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the `args` and `kwargs` of a node."""
    args = findings.sequence(fields.get("args", ()), f"{path}.args", "'args'")
    kwargs = findings.mapping(fields.get("kwargs", {}), f"{path}.kwargs", "'kwargs'")
    for name in kwargs:
        findings.name(name, f"{path}.kwargs", "the name of an argument")
    return tuple(read_value(args, f"{path}.args", findings)), read_value(kwargs, f"{path}.kwargs", findings)


def _literal(value: Any, path: str, findings: Findings) -> Any:
    # Literals become part of the text of `forward`: only what is written there as in YAML may pass.
    if value is not None and type(value) not in (bool, int, float, str):
        findings.add(path, "wrong-type", f"an argument is text, a number, a boolean or null, not {describe(value)}")
    return value


def _read_text(text: str, path: str, findings: Findings) -> Any:
    if text.startswith("$$"):
        return text[1:]
    if not text.startswith("$"):
        return text
    name = text[1:]
    if NAME.fullmatch(name):
        return Reference(name)
    stem = NAME.match(name)
    findings.excuse(stem and f"${stem.group()}")
    hint = "parts of a value are taken with op:getitem or a mapping under 'out'; a literal '$' is written '$$'"
    findings.add(path, "bad-reference", f"'{text}' does not refer to a value: {hint}")
    return text
