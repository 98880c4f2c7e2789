"""Reads the specs of modules and layers, as far as can be told without importing anything."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from offline_trainer_core import join_path
from ot_policy_constructor.ir.reading import Findings, describe

NO_MODULES = (
    *("algo", "cb", "data", "eval", "export", "frontend", "io", "launcher", "log", "loss", "metric", "op", "optim_cls"),
    *("optim_factory", "sched_cls", "sched_factory", "strategy", "trainer"),
)
"""Kinds of components that are something else than a torch module; those of other packages' own kinds may be one."""


def read_spec(value: Any, path: str, findings: Findings) -> Mapping[str, Any]:
    """Return a spec, `{_type_: <key>, ...}`, as data of our own."""
    if isinstance(value, Mapping):
        key = value.get("_type_")
        if "_type_" not in value and "_target_" not in value:
            findings.add(path, "missing-key", "a spec needs '_type_': the key of the component to build")
        elif "_type_" in value and not isinstance(key, str):
            findings.add(f"{path}._type_", "wrong-type", f"'_type_' is the key of a component, not {describe(key)}")
        elif isinstance(key, str) and key.partition(".")[0] in NO_MODULES:
            message = (
                f"'{key}' is of kind '{key.partition('.')[0]}', and a model is made of torch modules: nn.*, block.*"
            )
            findings.add(f"{path}._type_", "wrong-kind", message)
        return copy.deepcopy(dict(value))
    hint = f"{{_type_: {value}}}" if isinstance(value, str) else None
    findings.add(path, "wrong-type", f"a spec is a mapping with '_type_', not {describe(value)}", hint)
    return {}


def read_modules(value: Any, findings: Findings) -> dict[str, Mapping[str, Any]]:
    """Return the `modules` of a graph."""
    modules = findings.mapping(value, "modules", "'modules'")
    for name in modules:
        findings.name(name, join_path("modules", name), "the name of a module")
    return {name: read_spec(spec, join_path("modules", name), findings) for name, spec in modules.items()}
