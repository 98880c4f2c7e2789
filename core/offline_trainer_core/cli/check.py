"""`ot check`: everything that is wrong with a configuration, found without running it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from offline_trainer_core.cli.options import (
    LockedMayStandAlone,
    config_argument,
    locked_option,
    overrides_argument,
    traceback_option,
)
from offline_trainer_core.cli.screen import print_problems
from offline_trainer_core.config import in_text_order, redacted
from offline_trainer_core.errors import ComponentError, ConfigError, Problem
from offline_trainer_core.plan import Layer, without_consequences
from offline_trainer_core.run import try_check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from offline_trainer_core.catalogue import Registry
    from offline_trainer_core.config import Config
    from offline_trainer_core.plan import Plan

__all__ = ["command"]


@click.command("check", cls=LockedMayStandAlone)
@config_argument
@overrides_argument
@click.option("--format", "style", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--deep", is_flag=True, help="Also import the components that the configuration names; this loads torch.")
@locked_option
@traceback_option
@click.pass_context
def command(
    ctx: click.Context, config: str, overrides: tuple[str, ...], style: str, deep: bool, locked: str | None
) -> None:
    """Find everything that is wrong with a configuration, without running it.

    Exits with 2 if there is an error. Nothing that the configuration names is imported, unless --deep asks for it.
    """
    layers, problems = _check(config, overrides, deep, locked)
    {"text": _print_text, "json": _print_json, "github": _print_github}[style](layers, problems)
    if any(problem.severity == "error" for problem in problems):
        ctx.exit(ConfigError.exit_code)


def _check(source: str, overrides: Sequence[str], deep: bool, locked: str | None) -> tuple[list[Layer], list[Problem]]:
    report, config, registry = try_check(source, overrides)
    if locked is not None:
        from offline_trainer_core.run import find_lock, refuse_drift

        refuse_drift(find_lock(source, overrides, locked, None), report.plan)
    if not deep or config is None or registry is None:
        return list(report.layers), list(report.problems)
    from offline_trainer_core.plan.deep import check_arguments_live

    found = list(_import_all(config, report.plan, registry))
    detail = f"{len(set(report.plan.entries.values()))} components imported"
    imports = Layer("imports", "failed" if found else "passed", detail)
    live = check_arguments_live(config, registry)
    calls = Layer("live signatures", "failed" if live.problems else "passed", f"{live.checked} more calls checked")
    problems = without_consequences([*report.problems, *found, *live.problems], config, report.plan.model_files)
    return [*report.layers, imports, calls], list(in_text_order(problems, list(config.sources)))


def _import_all(config: Config, plan: Plan, registry: Registry) -> Iterator[Problem]:
    """Import what the plan names; yield a problem for each local module and component that cannot be imported."""
    from offline_trainer_core.catalogue.local import import_local_module

    for module in plan.local_modules:
        try:
            import_local_module(module.name, module.folder, registry)
        except ComponentError as error:
            yield config.problem("import-failed", redacted(str(error), config), "imports")
    for path, entry in plan.entries.items():
        try:
            entry.load()
        except ComponentError as error:
            yield config.problem("import-failed", redacted(str(error), config), path)


def _print_text(layers: Sequence[Layer], problems: Sequence[Problem]) -> None:
    print_problems(problems)
    if problems:
        click.echo()
    colours = {"passed": "green", "failed": "red", "skipped": "yellow"}
    for name, status, detail in layers:
        click.echo(f"{click.style(f'{status:8}', fg=colours[status])} {name}{f': {detail}' if detail else ''}")


def _print_json(layers: Sequence[Layer], problems: Sequence[Problem]) -> None:
    import json

    content: dict[str, Any] = {
        "schema_version": 1,
        "valid": not any(problem.severity == "error" for problem in problems),
        "layers": [{"name": name, "status": status, "detail": detail} for name, status, detail in layers],
        "problems": [
            {**asdict(problem), "location": problem.location._asdict() if problem.location else None}
            for problem in problems
        ],
    }
    click.echo(json.dumps(content, indent=2))


def _print_github(_: Sequence[Layer], problems: Sequence[Problem]) -> None:
    """Print workflow commands, which GitHub shows beside the lines of a change."""
    for problem in problems:
        place = {"title": problem.code}
        if problem.location and not problem.location.file.startswith("<"):  # an override is in no file
            file, line, column = problem.location
            place = {"file": file, "line": str(line), "col": str(column), **place}
        properties = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in place.items())
        message = problem.render().partition(": ")[2]
        click.echo(f"::{problem.severity} {properties}::{_escaped(message)}")


def _escaped(text: str, also: str = "") -> str:
    """Return `text` as a workflow command carries it."""
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
