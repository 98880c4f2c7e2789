"""Compiles a definition to its intermediate representation, or raises everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline_trainer_core.errors import ConfigError, Problem
from ot_policy_constructor.ir.graph import parse_graph
from ot_policy_constructor.ir.program import GraphIR, SequentialIR
from ot_policy_constructor.ir.reading import Finding, Findings, describe
from ot_policy_constructor.ir.sequential import parse_sequential

FRONTENDS = ("graph", "sequential")


def compile_ir(model: Any) -> GraphIR | SequentialIR:
    """Return what a model says: a model file's content, or what stands under its `model:`.

    Raises `ConfigError` with every problem, each with its path such as `model.graph.nodes[2].args[0]`.
    """
    frontend, definition = split_frontend(model, FRONTENDS)
    return compile_graph(definition) if frontend == "graph" else compile_sequential(definition)


def compile_graph(definition: Any, path: str = "model.graph") -> GraphIR:
    """Return what the definition under `graph:` says; `path` is where it stands, for messages."""
    findings = Findings()
    graph = parse_graph(definition, findings)
    _raise(findings, path)
    return graph


def compile_sequential(definition: Any, path: str = "model.sequential") -> SequentialIR:
    """Return what the definition under `sequential:` says; `path` is where it stands, for messages."""
    findings = Findings()
    chain = parse_sequential(definition, findings)
    _raise(findings, path)
    return chain


def split_frontend(model: Any, frontends: tuple[str, ...]) -> tuple[str, Any]:
    """Return the one frontend that a model names, and its definition."""
    findings = Findings()
    if isinstance(model, Mapping) and "model" in model:
        findings.mapping(model, "", "a model file", ("schema_version", "params", "model"))
        if model.get("schema_version") != 1:
            found = describe(model["schema_version"]) if "schema_version" in model else "nothing"
            findings.add("schema_version", "schema-version", f"a model file says 'schema_version: 1', not {found}")
        model = model["model"]
    named = findings.mapping(model, "model", "'model'", frontends)
    if isinstance(model, Mapping) and len(named) != 1:
        message = f"'model' names one frontend, not {len(named)}: {' or '.join(frontends)}"
        findings.add("model", "one-form", message)
    _raise(findings, "")
    return next(iter(named.items()))


def _raise(findings: Findings, path: str) -> None:
    if findings.items:
        raise ConfigError(_problem(finding, path) for finding in findings.items)


def _problem(finding: Finding, path: str) -> Problem:
    separator = "." if path and finding.path and not finding.path.startswith("[") else ""
    return Problem(finding.code, finding.message, f"{path}{separator}{finding.path}", suggestion=finding.suggestion)
