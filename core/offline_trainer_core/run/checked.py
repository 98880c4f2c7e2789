"""Resolve, plan, check: what every use of a configuration begins with. Loads no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from offline_trainer_core.catalogue import Registry, installed_registry
from offline_trainer_core.config import Config, resolve_config
from offline_trainer_core.errors import ConfigError
from offline_trainer_core.plan import CheckReport, Plan, check_config_tree

__all__ = ["Checked", "Source", "build_registry", "check_config", "checked"]

Source = str | os.PathLike[str] | Mapping[str, Any]


class Checked(NamedTuple):
    """A configuration without errors, and what its names stand for."""

    config: Config
    registry: Registry
    report: CheckReport

    @property
    def plan(self) -> Plan:
        """Which component every name stands for."""
        return self.report.plan


def checked(source: Source, overrides: Sequence[str]) -> Checked:
    """Resolve, plan and check; raises `ConfigError` with every problem."""
    config = resolve_config(source, overrides)
    registry = build_registry(config)
    report = check_config_tree(config, registry)
    if report.errors:
        raise ConfigError(report.errors)
    return Checked(config, registry, report)


def check_config(config: Source, overrides: Sequence[str] = ()) -> CheckReport:
    """Return everything that can be known to be wrong without importing a component; problems are not raised."""
    resolved = resolve_config(config, overrides)
    return check_config_tree(resolved, build_registry(resolved))


def build_registry(config: Config | None = None) -> Registry:
    """Return the components of the installed distributions; of those that `config` allows, if one is given."""
    return installed_registry(config.plain("settings.allowed_distributions") if config is not None else None)
