"""Resolve, plan, check: what every use of a configuration begins with. Loads no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from offline_trainer_core.catalogue import Registry, installed_registry
from offline_trainer_core.config import Config, try_resolve
from offline_trainer_core.errors import ConfigError
from offline_trainer_core.plan import CheckReport, Plan, check_config_tree, report_unresolved
from offline_trainer_core.run.older import todays

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checked", "Source", "build_registry", "check_config", "checked", "try_check"]

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


def checked(source: Source, overrides: Sequence[str], lock: Path | None = None) -> Checked:
    """Resolve, plan and check; raises `ConfigError` with every problem, or `UsageError` with all drift from a lock."""
    report, config, registry = try_check(source, overrides)
    if lock is not None:  # a package that is missing says more than the names that it leaves open
        from offline_trainer_core.run.lock import refuse_drift

        refuse_drift(lock, report.plan)
    if config is None or registry is None or report.errors:
        raise ConfigError(report.errors)
    return Checked(config, registry, report)


def try_check(source: Source, overrides: Sequence[str]) -> tuple[CheckReport, Config | None, Registry | None]:
    """Return the report of all problems, and what it is about; None where a part could not be read."""
    try:
        config, problems = try_resolve(todays(source), overrides)
    except ConfigError as error:
        return report_unresolved(error.problems), None, None
    if config is None or any(problem.code == "too-many-problems" for problem in problems):
        return report_unresolved(problems), None, None
    registry = build_registry(config)
    return check_config_tree(config, registry, problems), config, registry


def check_config(config: Source, overrides: Sequence[str] = ()) -> CheckReport:
    """Return everything that can be known to be wrong without importing a component; problems are not raised."""
    return try_check(config, overrides)[0]


def build_registry(config: Config | None = None) -> Registry:
    """Return the components of the installed distributions; of those that `config` allows, if one is given."""
    allowed = config.plain("settings.allowed_distributions") if config is not None else None
    return installed_registry([n for n in allowed if isinstance(n, str)] if isinstance(allowed, list) else None)
