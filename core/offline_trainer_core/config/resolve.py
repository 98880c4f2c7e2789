"""Resolution: from a file, or a mapping, to one frozen tree. Each step reports all that is wrong in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from offline_trainer_core.config.compose import compose
from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.interpolate import interpolate
from offline_trainer_core.config.limits import Extent, excess
from offline_trainer_core.config.merge import settle
from offline_trainer_core.config.overrides import apply_overrides
from offline_trainer_core.config.plain import from_plain
from offline_trainer_core.config.templates import expand_templates
from offline_trainer_core.config.tree import Config, MappingNode, Node, ScalarNode

__all__ = ["resolve_config"]


def resolve_config(
    source: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    env: Mapping[str, str] | None = None,
) -> Config:
    """Return the configuration in the file `source`, or in a mapping, with `overrides` applied.

    `env` is the environment that `${env:NAME}` reads, the process's own by default. A mapping cannot have `defaults:`.
    Raises `ConfigError` with every problem of the first step that found any.
    """
    findings = Findings()
    root = _from_mapping(source, findings) if isinstance(source, Mapping) else compose(os.fspath(source), findings)
    findings.raise_any()
    assert root is not None, "a tree, or a problem that says why there is none"
    root = apply_overrides(root, overrides, findings)
    if (defaults := root.get("defaults")) is not None:
        message = "'defaults' composes files: it cannot be set in a mapping or by an override"
        findings.at(defaults, "bad-defaults", message, "defaults", fix="write it in a file, and resolve that")
    findings.raise_any()
    root = expand_templates(root, findings)
    findings.raise_any()
    root = interpolate(root, os.environ if env is None else env, findings)
    findings.raise_any()
    return Config(root, findings.sources, tuple(overrides))


def _from_mapping(source: Mapping[str, Any], findings: Findings) -> MappingNode | None:
    node: Node = from_plain(source, ScalarNode(None, directive="mapping"), findings)
    if problem := excess(*Extent().of(node)):
        findings.add(*problem)
        return None
    node = settle(node, "", findings)
    return node if isinstance(node, MappingNode) else None
