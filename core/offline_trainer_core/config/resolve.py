"""Resolution: from a file, or a mapping, to one frozen tree, and everything that is wrong on the way.

A step goes on after a problem. What the problem leaves open becomes `UNKNOWN`, or a mapping that is not complete, and
nothing is said of what follows from it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from offline_trainer_core.config.compose import compose
from offline_trainer_core.config.findings import Findings, in_text_order
from offline_trainer_core.config.interpolate import interpolate
from offline_trainer_core.config.limits import Extent, excess
from offline_trainer_core.config.merge import settle
from offline_trainer_core.config.overrides import apply_overrides
from offline_trainer_core.config.plain import from_plain
from offline_trainer_core.config.resolved import Config
from offline_trainer_core.config.templates import expand_templates
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode
from offline_trainer_core.errors import ConfigError, Problem

__all__ = ["Resolution", "resolve_config", "try_resolve"]


class Resolution(NamedTuple):
    """What resolution came to."""

    config: Config | None
    """The tree, with `UNKNOWN` in place of what the problems leave open; None where a file or more is missing in it."""
    problems: tuple[Problem, ...]
    """Everything that is wrong, in the order of the text."""


def resolve_config(
    source: str | os.PathLike[str] | Mapping[str, Any] | Config,
    overrides: Sequence[str] = (),
    *,
    env: Mapping[str, str] | None = None,
) -> Config:
    """Return the configuration in the file `source`, or in a mapping, with `overrides` applied.

    `env` is the environment that `${env:NAME}` reads, the process's own by default. A mapping cannot have `defaults:`,
    nor can a tree that was read before.
    Raises `ConfigError` with every problem.
    """
    config, problems = try_resolve(source, overrides, env=env)
    if problems:
        raise ConfigError(problems)
    assert config is not None, "a tree, or a problem that says why there is none"
    return config


def try_resolve(
    source: str | os.PathLike[str] | Mapping[str, Any] | Config,
    overrides: Sequence[str] = (),
    *,
    env: Mapping[str, str] | None = None,
) -> Resolution:
    """Return what `resolve_config` returns as far as it can be told, and every problem."""
    findings = Findings()
    root = _read(source, findings)
    findings.is_incomplete |= root is None
    root = apply_overrides(root or MappingNode({}), overrides, findings)
    _refuse_defaults(root, findings)
    root = expand_templates(root, findings)
    root = interpolate(root, os.environ if env is None else env, findings)
    problems = in_text_order(findings.problems, list(findings.sources))
    if findings.is_incomplete:
        return Resolution(None, problems)
    warnings = source.warnings if isinstance(source, Config) else ()
    return Resolution(Config(root, findings.sources, tuple(overrides), warnings, findings.included), problems)


def _read(source: str | os.PathLike[str] | Mapping[str, Any] | Config, findings: Findings) -> MappingNode | None:
    if isinstance(source, Config):
        findings.sources.update(source.sources)
        findings.included.update(source.included)
        return source.root
    return _from_mapping(source, findings) if isinstance(source, Mapping) else compose(os.fspath(source), findings)


def _refuse_defaults(root: MappingNode, findings: Findings) -> None:
    defaults = root.get("defaults")
    if defaults is not None:
        message = "'defaults' composes files: it cannot be set in a mapping or by an override"
        findings.at(defaults, "bad-defaults", message, "defaults", fix="write it in a file, and resolve that")
        findings.is_incomplete = True


def _from_mapping(source: Mapping[str, Any], findings: Findings) -> MappingNode | None:
    node: Node = from_plain(source, ScalarNode(None, directive="mapping"), findings)
    if problem := excess(*Extent().of(node)):
        findings.add(*problem)
        return None
    node = settle(node, "", findings)
    return node if isinstance(node, MappingNode) else None
