"""`ot explain`: one value of a configuration: what it is for, and every assignment that led to it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import click

from offline_trainer_core.cli.options import config_argument, overrides_argument, traceback_option
from offline_trainer_core.cli.screen import print_table, print_text, print_yaml
from offline_trainer_core.cli.source import config_source
from offline_trainer_core.config import try_resolve
from offline_trainer_core.config.dump import to_inline_yaml, to_yaml
from offline_trainer_core.errors import ConfigError
from offline_trainer_core.explain import explain
from offline_trainer_core.plan import check_config_tree
from offline_trainer_core.run import build_registry

if TYPE_CHECKING:
    from offline_trainer_core.errors import Problem
    from offline_trainer_core.explain import Argument, Explanation, Step

__all__ = ["command"]

_WIDEST = 60
"""Characters of a value that is shown on one line."""


@click.command("explain")
@config_argument
@click.argument("path", metavar="PATH")
@overrides_argument
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@traceback_option
def command(config: str, path: str, overrides: tuple[str, ...], style: str) -> None:
    """Say where a value comes from, what it is for, and what else could stand there.

    PATH is dotted, such as trainer.max_epochs, callbacks[0] or optimizer.kwargs.lr. It may be one that is not set: then
    its default is told. Nothing is imported, and secrets are masked.
    """
    resolved, problems = try_resolve(config_source(config), overrides)
    if resolved is None:
        raise ConfigError(problems)
    registry = build_registry(resolved)
    explanation = explain(resolved, registry, path)
    errors = [*problems, *check_config_tree(resolved, registry).errors]
    if style == "json":
        click.echo(json.dumps(_as_json(explanation), indent=2, default=str))
        return
    _print(explanation)
    _print_errors(errors, explanation.path)


def _as_json(value: Any) -> Any:
    """Return an explanation as plain data; locations are mappings."""
    if is_dataclass(value):
        return {field.name: _as_json(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, dict):
        return {key: _as_json(below) for key, below in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _print(explanation: Explanation) -> None:
    _print_value(explanation)
    if explanation.description:
        click.echo()
        print_text(explanation.description)
    facts = list(_facts(explanation))
    if facts:
        click.echo()
        print_table([], facts, fold=1)
    if explanation.arguments:
        _print_arguments(explanation)
    if explanation.history:
        click.secho("\nset by, newest first" if len(explanation.history) > 1 else "\nset by", bold=True)
        for line in _steps(explanation.history, "  "):
            click.echo(line)
    for path, step in explanation.through:
        click.secho(f"\nthrough {path}", bold=True)
        for line in _steps([step], "  "):
            click.echo(line)


def _print_value(explanation: Explanation) -> None:
    name = click.style(explanation.path, bold=True)
    value = to_inline_yaml(explanation.value)
    if not explanation.is_set:
        click.echo(f"{name}: not set{_otherwise(explanation)}")
    elif len(value) <= _WIDEST:
        click.echo(f"{name}: {value}")
    else:
        click.echo(f"{name}:")
        print_yaml(textwrap.indent(to_yaml(explanation.value), "  "))


def _otherwise(explanation: Explanation) -> str:
    if explanation.required:
        return ", and required"
    if explanation.default is None:
        return ""
    component = explanation.component
    return f"; default {explanation.default}" + (
        f" ({component.key})" if component and not explanation.names_component else ""
    )


def _facts(explanation: Explanation) -> Iterator[tuple[str, str]]:
    if explanation.role:
        yield "what", explanation.role
    if explanation.takes:
        yield "type", explanation.takes
    if any(text not in explanation.takes for text in explanation.allowed):
        yield "allowed", ", ".join(explanation.allowed)
    if explanation.default is not None:
        yield "default", explanation.default
    elif explanation.required:
        yield "required", "yes"
    component = explanation.component
    if component is not None:
        summary = f": {component.summary}" if component.summary and explanation.names_component else ""
        yield "component", f"{component.key}{summary}"
        yield "from", f"{component.distribution} {component.version}".strip()
        yield "source", f"{component.file}:{component.line}" if component.file else component.reference


def _print_arguments(explanation: Explanation) -> None:
    click.secho("\narguments", bold=True)
    print_table([], map(_row, explanation.arguments), fold=3)


def _row(argument: Argument) -> tuple[str, str, str, str]:
    name = f"  {argument.name}"
    if not argument.is_given:
        value, place = (argument.default, "default") if argument.default is not None else ("missing", "")
        return name, value, place, argument.description
    otherwise = f", default {argument.default}" if argument.default is not None else ""
    return name, _short(argument.value), f"{argument.location or 'given'}{otherwise}", argument.description


def _steps(steps: Sequence[Step], indent: str) -> Iterator[str]:
    """Yield the lines that tell assignments: value, place and directive; the text; what each `${...}` refers to."""
    values = [_short(step.value) for step in steps]
    width = max(map(len, values), default=0)
    for step, value in zip(steps, values, strict=True):
        yield f"{indent}{value.ljust(width)}  {_place(step)}"
        margin = f"{indent}{' ' * width}  "
        if step.source_line is not None:
            yield f"{margin}{click.style('|', fg='blue')} {step.source_line}"
        for reference in step.references:
            if reference.history:
                yield f"{margin}{reference.expression} is set by"
                yield from _steps(reference.history, f"{margin}  ")


def _place(step: Step) -> str:
    place = click.style(str(step.location), fg="cyan") if step.location is not None else "the mapping"
    directive = "" if step.directive in ("file", "override", "mapping") else f", {step.directive}"
    used = f" used at {step.template_at}" if step.template_at is not None else ""
    return f"{place}{directive}{used}"


def _short(value: Any) -> str:
    """Return a single value or a short list; of anything else how much there is."""
    text = to_inline_yaml(value)
    if isinstance(value, dict) or (isinstance(value, list) and len(text) > _WIDEST // 2):
        noun = "key" if isinstance(value, dict) else "item"
        return f"{len(value)} {noun}{'' if len(value) == 1 else 's'}"
    if len(text) <= _WIDEST // 2:
        return text
    return f"{text[: _WIDEST // 2 - 3]}..."


def _print_errors(errors: Sequence[Problem], path: str) -> None:
    """Say that the configuration has errors, and show those of the value itself."""
    for problem in errors:
        if problem.config_path == path:
            click.echo(f"\n{click.style('error', fg='red', bold=True)}: {problem.message}")
    if errors:
        count = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
        click.echo(f"\n`ot check` finds {count} in this configuration")
