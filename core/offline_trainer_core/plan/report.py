"""Everything that is wrong with a configuration, layer by layer, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config
from offline_trainer_core.errors import ConfigError, Problem
from offline_trainer_core.plan.arguments import ArgumentCheck, check_arguments
from offline_trainer_core.plan.crosschecks import CROSS_CHECKS, cross_check
from offline_trainer_core.plan.document import Document
from offline_trainer_core.plan.names import Names, resolve_names
from offline_trainer_core.plan.plan import Plan

__all__ = ["CheckReport", "Layer", "check_config_tree", "make_plan"]


class Layer(NamedTuple):
    """One layer of the check: its name, how it went, and what it looked at."""

    name: str
    status: Literal["passed", "failed", "skipped"]
    detail: str = ""


@dataclass(frozen=True)
class CheckReport:
    """What a check found. The plan is complete if there are no errors."""

    plan: Plan
    problems: tuple[Problem, ...]
    """Errors and warnings, in the order of the text."""
    layers: tuple[Layer, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the configuration from running."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def make_plan(config: Config, registry: Registry) -> Plan:
    """Return which component every name in `config` stands for. Raises `ConfigError` with every name that has none."""
    names = resolve_names(config, registry)
    errors = [problem for problem in names.problems if problem.severity == "error"]
    if errors:
        raise ConfigError(_in_text_order(errors, config))
    return names.plan


def check_config_tree(config: Config, registry: Registry) -> CheckReport:
    """Check `config` as far as that goes without importing what it names: names, signatures, and what goes together."""
    names = resolve_names(config, registry)
    arguments = check_arguments(names)
    crossed = tuple(cross_check(Document(config), names))
    problems = [*config.warnings, *_version_warning(config), *names.problems, *arguments.problems, *crossed]
    layers = (
        _layer("composition", (), f"{_count(len(config.files), 'file')}, {_count(len(config.overrides), 'override')}"),
        _layer("names", names.problems, _provenance(names)),
        _layer("signatures", arguments.problems, _readability(arguments)),
        _layer("cross-checks", crossed, _count(len(CROSS_CHECKS), "check")),
    )
    return CheckReport(names.plan, _in_text_order(problems, config), layers)


def _layer(name: str, problems: Iterable[Problem], detail: str) -> Layer:
    errors = [problem for problem in problems if problem.severity == "error"]
    return Layer(name, "failed", _count(len(errors), "error")) if errors else Layer(name, "passed", detail)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _provenance(names: Names) -> str:
    distributions = [f"{name} {version}" for name, version in names.plan.distributions().items()]
    unseen = [f"{module.name}:{line}" for module in names.plan.local_modules for line in module.unseen]
    detail = f"{_count(len(names.plan.entries), 'component')} of {', '.join(distributions) or 'local code'}"
    return f"{detail}; not visible without importing: {', '.join(unseen)}" if unseen else detail


def _readability(arguments: ArgumentCheck) -> str:
    detail = f"{_count(arguments.checked, 'call')} checked"
    return f"{detail}; not readable from source: {', '.join(arguments.unread)}" if arguments.unread else detail


def _version_warning(config: Config) -> list[Problem]:
    if "schema_version" in config.root.items or any(p.code == "schema-version" for p in config.warnings):
        return []
    message = "'schema_version' is missing; 1 is assumed"
    return [Document(config).problem("schema-version", message, "", fix="add schema_version: 1", severity="warning")]


def _in_text_order(problems: Sequence[Problem], config: Config) -> tuple[Problem, ...]:
    """Return `problems` by file, line and column, each said once; those without a place come last."""
    files = list(config.sources)

    def place(problem: Problem) -> tuple[int, str, int, int]:
        if problem.location is None:
            return len(files) + 1, "", 0, 0
        file, line, column = problem.location
        return files.index(file) if file in files else len(files), file, line, column

    return tuple(sorted(dict.fromkeys(problems), key=place))
