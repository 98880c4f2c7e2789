"""Everything that is wrong with a configuration, layer by layer, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, Found, ScalarNode, as_shown, in_text_order
from offline_trainer_core.errors import ConfigError, Problem
from offline_trainer_core.plan.arguments import ArgumentCheck, check_arguments
from offline_trainer_core.plan.consequences import without_consequences
from offline_trainer_core.plan.crosschecks import CROSS_CHECKS, cross_check
from offline_trainer_core.plan.document import Document
from offline_trainer_core.plan.known_keys import with_known_keys
from offline_trainer_core.plan.names import Names, resolve_names
from offline_trainer_core.plan.plan import Plan

__all__ = ["CheckReport", "Layer", "check_config_tree", "make_plan", "report_unresolved"]


_NO_ROOM = "there are too many problems before it"


class Layer(NamedTuple):
    """One layer of the check: its name, how it went, and what it looked at."""

    name: str
    status: Literal["passed", "failed", "skipped"]
    detail: str = ""


class CheckReport(NamedTuple):
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
        raise ConfigError(as_shown(in_text_order(errors, list(config.sources)), is_full=names.problems.is_full))
    return names.plan


def check_config_tree(config: Config, registry: Registry, found: Sequence[Problem] = ()) -> CheckReport:
    """Check `config` as far as that goes without importing what it names: names, signatures, and what goes together.

    `found` are the problems of resolution. What only follows from another problem is not reported, and no layer begins
    after one that found more errors than a report shows.
    """
    names = resolve_names(config, registry)
    arguments = None if names.problems.is_full else check_arguments(names)
    crossed = None if arguments is None or arguments.problems.is_full else Found(cross_check(Document(config), names))
    warnings = [*config.warnings, *_version_warning(config), *_secret_warnings(config)]
    resolved = [*with_known_keys(found, config, names), *warnings]
    problems = [*resolved, *names.problems, *(arguments.problems if arguments else ()), *(crossed or ())]
    causes = without_consequences(problems, config, names.plan.model_files)
    kept = in_text_order(causes, list(config.sources))
    taken_part = f"{_count(len(config.files), 'file')}, {_count(len(config.overrides), 'override')}"
    layers = (
        _layer("composition", resolved, kept, taken_part),
        _layer("names", names.problems, kept, _provenance(names)),
        _layer("signatures", arguments and arguments.problems, kept, _readability(arguments) if arguments else ""),
        _layer("cross-checks", crossed, kept, _count(len(CROSS_CHECKS), "check")),
    )
    return CheckReport(names.plan, as_shown(kept, is_full=crossed is None or crossed.is_full), layers)


def report_unresolved(found: Sequence[Problem]) -> CheckReport:
    """Return the report of a configuration of which a part is not known: a file is missing, or nearly all is wrong."""
    layers = [Layer("composition", "failed", _count(len(found), "error"))]
    is_full = any(problem.code == "too-many-problems" for problem in found)
    why = _NO_ROOM if is_full else "a part of the configuration could not be read"
    layers += [Layer(name, "skipped", why) for name in ("names", "signatures", "cross-checks")]
    return CheckReport(Plan({}), tuple(found), tuple(layers))


def _layer(name: str, problems: Iterable[Problem] | None, kept: Iterable[Problem], detail: str) -> Layer:
    if problems is None:
        return Layer(name, "skipped", _NO_ROOM)
    said = set(kept)
    errors = {problem for problem in problems if problem.severity == "error" and problem in said}
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


def _secret_warnings(config: Config) -> Iterator[Problem]:
    message = "this looks like a secret, and whoever reads or copies the file has it"
    for path, node in config.walk():
        if isinstance(node, ScalarNode) and node.secret and not node.directive.startswith("interpolation "):
            fix = "export it as a variable, and write ${env:NAME} here"
            yield config.problem("written-secret", message, path, fix=fix, severity="warning")
