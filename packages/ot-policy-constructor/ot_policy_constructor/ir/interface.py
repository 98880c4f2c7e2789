"""Reads what a model takes and what it gives back: `inputs`, `outputs`, `return`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from offline_trainer_core import join_path
from ot_policy_constructor.ir.program import Reference, Returns
from ot_policy_constructor.ir.reading import NAME, Findings, describe, nearest
from ot_policy_constructor.ir.values import read_value

Outputs = tuple[Reference, ...] | Mapping[str, Reference]


def read_inputs(source: Mapping[str, Any], findings: Findings) -> tuple[str, ...]:
    """Return the names that the model is called with, in the order of its positional arguments."""
    if not source.get("inputs"):
        findings.add("", "missing-key", "a model needs 'inputs', such as [obs]")
        return ()
    names = findings.sequence(source["inputs"], "inputs", "'inputs'")
    return tuple(findings.name(name, join_path("inputs", index), "an input") for index, name in enumerate(names))


def read_optional_inputs(source: Mapping[str, Any], findings: Findings) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return `source` with plain names under `inputs`, and the names of those that may be left out: `{mask: null}`."""
    inputs = source.get("inputs")
    if not isinstance(inputs, (list, tuple)):
        return source, ()
    optional = {index: next(iter(item)) for index, item in enumerate(inputs) if _is_optional(item)}
    for index, name in optional.items():
        needed = next((later for at, later in enumerate(inputs) if at > index and at not in optional), None)
        if needed is not None:
            message = f"'{name}' may be left out, so it comes after '{needed}', which may not"
            findings.add(join_path("inputs", index), "wrong-type", message)
    names = [optional.get(index, item) for index, item in enumerate(inputs)]
    return {**source, "inputs": names}, tuple(str(name) for name in optional.values())


def _is_optional(item: Any) -> bool:
    return isinstance(item, Mapping) and len(item) == 1 and None in item.values()


def read_outputs(source: Mapping[str, Any], findings: Findings) -> tuple[Outputs, Returns]:
    """Return what comes out, and in which form."""
    outputs = _read_references(source, findings)
    inferred: Returns = "dict" if isinstance(outputs, Mapping) else "single" if len(outputs) == 1 else "tuple"
    returns = read_return(source, inferred, findings)
    allowed = {"dict"} if isinstance(outputs, Mapping) else {"single", "tuple"} if len(outputs) == 1 else {"tuple"}
    if outputs and returns not in allowed:
        shape = "a mapping of" if isinstance(outputs, Mapping) else "a list of"
        message = f"'return: {returns}' does not fit 'outputs', {shape} {len(outputs)}: {' or '.join(sorted(allowed))}"
        findings.add("return", "bad-return", message, inferred)
    return outputs, returns


def read_return(source: Mapping[str, Any], inferred: Returns, findings: Findings) -> Returns:
    """Return the form that the author asks for, else the inferred one."""
    value = source.get("return")
    forms: tuple[Returns, ...] = get_args(Returns)
    for form in forms:
        if value == form:
            return form
    if value is not None:
        message = f"'return' is single, tuple or dict, not {describe(value)}"
        findings.add("return", "bad-return", message, nearest(str(value), forms))
    return inferred


def _read_references(source: Mapping[str, Any], findings: Findings) -> Outputs:
    value = source.get("outputs")
    if isinstance(value, Mapping) and value:
        named = {
            str(key): _read_reference(item, join_path("outputs", str(key)), findings) for key, item in value.items()
        }
        return {key: reference for key, reference in named.items() if reference is not None}
    if isinstance(value, (list, tuple)) and value:
        listed = (_read_reference(item, join_path("outputs", index), findings) for index, item in enumerate(value))
        return tuple(reference for reference in listed if reference is not None)
    if value:
        hint = f"[{value}]" if isinstance(value, str) else None
        findings.add("outputs", "wrong-type", f"'outputs' is a list or a mapping, not {describe(value)}", hint)
    else:
        findings.add("", "missing-key", "a graph needs 'outputs', such as [$h] or {action: $h}")
    return ()


def _read_reference(value: Any, path: str, findings: Findings) -> Reference | None:
    read = read_value(value, path, findings)
    if isinstance(read, Reference):
        return read
    if not (isinstance(value, str) and value.startswith("$")) or value.startswith("$$"):
        hint = f"${value}" if isinstance(value, str) and NAME.fullmatch(value) else None
        findings.excuse(hint)
        message = f"an output refers to a value, as '$name'; {describe(value)} does not"
        findings.add(path, "bad-reference", message, hint)
    return None
