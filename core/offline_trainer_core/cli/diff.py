"""`ot diff`: what differs between two configurations, or two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offline_trainer_core.cli.options import traceback_option
from offline_trainer_core.cli.source import config_source
from offline_trainer_core.config import resolve_config, split_path
from offline_trainer_core.config.dump import to_inline_yaml, to_yaml
from offline_trainer_core.errors import UsageError
from offline_trainer_core.explain import Difference, Subject, code_of, compare
from offline_trainer_core.plan import plan_difference
from offline_trainer_core.record import MASKED
from offline_trainer_core.run import build_registry

if TYPE_CHECKING:
    from offline_trainer_core.config import Config
    from offline_trainer_core.explain import Side

__all__ = ["command"]

_WIDEST = 80
"""Characters of a value that is shown on one line."""
_COLOURS = {"-": "red", "+": "green", "~": "yellow"}


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("overrides", nargs=-1, metavar="[OVERRIDE]...")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@traceback_option
@click.pass_context
def command(ctx: click.Context, a: str, b: str, overrides: tuple[str, ...], style: str) -> None:
    """Say in what two configurations differ, or two runs.

    A and B are files or run folders; overrides apply to B. `ot diff a.yaml trainer.max_epochs=3` says what the
    overrides change. What is compared is what the files resolve to, not their text.

    Exits with 0 if the configurations and the code of their components are equal, with 1 if they differ.
    """
    if not Path(b).exists() and (b.startswith(("+", "~")) or "=" in b):
        b, overrides = a, (b, *overrides)
    sources = {name: config_source(name) for name in dict.fromkeys((a, b))}
    comparison = _compared(_Source.open(a, sources[a], ()), _Source.open(b, sources[b], overrides))
    if style == "json":
        click.echo(json.dumps(comparison.as_json(), indent=2))
    else:
        _print(comparison)
    if not comparison.is_equal:
        ctx.exit(1)


@dataclass(frozen=True)
class _Source:
    """One of the two that are compared. `plan` and `environment` are what a run recorded."""

    subject: Subject
    plan: Mapping[str, Any] | None
    environment: Mapping[str, Any] | None

    @classmethod
    def open(cls, name: str, source: str | Config, overrides: Sequence[str]) -> _Source:
        config = resolve_config(source, overrides)
        subject = Subject.of(config, build_registry(config), _recorded(name, MASKED) or {})
        return cls(subject, _recorded(name, "plan.json"), _recorded(name, "environment.json"))


def _recorded(source: str, name: str) -> Mapping[str, Any] | None:
    """Return what a run folder has in a JSON file; None where `source` is no run folder."""
    path = Path(source) / name
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, Mapping):
        raise UsageError(f"{path} is damaged: it holds no record")
    return content


@dataclass(frozen=True)
class _Comparison:
    differences: tuple[Difference, ...]
    code: tuple[str, ...]
    """Components whose code differs, a line each."""
    environment: tuple[tuple[str, Any, Any], ...]
    """Path, first and second value of what differs in the records of two runs."""

    @property
    def is_equal(self) -> bool:
        return not self.differences and not self.code

    def as_json(self) -> dict[str, Any]:
        changes = [
            {
                "kind": difference.change.kind,
                "path": difference.change.path,
                "is_default": difference.is_default,
                "before": _side_as_json(difference.change.before),
                "after": _side_as_json(difference.change.after),
            }
            for difference in self.differences
        ]
        environment = [{"path": path, "before": before, "after": after} for path, before, after in self.environment]
        return {"equal": self.is_equal, "changes": changes, "code": list(self.code), "environment": environment}


def _side_as_json(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    place = side.location._asdict() if side.location is not None else None
    return {"path": side.path, "value": side.value, "location": place, "directive": side.directive}


def _compared(a: _Source, b: _Source) -> _Comparison:
    code: tuple[str, ...] = ()
    if a.plan is not None or b.plan is not None:  # else both name what is installed now
        ours, theirs = (side.plan or side.subject.names.plan.to_json() for side in (b, a))
        code = plan_difference(code_of(ours, theirs), code_of(theirs, ours))
    environment = _flat_difference(a.environment, b.environment) if a.environment and b.environment else ()
    return _Comparison(compare(a.subject, b.subject), code, tuple(environment))


def _flat_difference(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            yield from _flat_difference(a.get(key), b.get(key), f"{path}.{key}".strip("."))
    elif a != b:
        yield path, a, b


def _print(comparison: _Comparison) -> None:
    section: str | int | None = None
    for difference in comparison.differences:
        head = split_path(difference.change.path)[0]
        if section not in (None, head):
            click.echo()
        section = head
        for line in _lines(difference):
            click.secho(line, fg=_COLOURS.get(line[0]))
    if comparison.is_equal:
        click.echo("no difference")
    if comparison.code:
        click.secho("\nother code of the same components", bold=True)
        for line in comparison.code:
            click.echo(f"  {line}")
    if comparison.environment:
        click.secho("\nthe environments differ", bold=True)
        for path, before, after in comparison.environment:
            click.secho(f"- {path}: {_shortened(before)}", fg="red")
            click.secho(f"+ {path}: {_shortened(after)}", fg="green")


def _lines(difference: Difference) -> Iterator[str]:
    change = difference.change
    before, after = change.before, change.after
    if change.kind == "moved" and before is not None and after is not None:
        yield f"~ {before.path} -> {after.path}: {_shortened(after.value)}  # {_origin(after)}"
        return
    for sign, side in (("-", before), ("+", after)):
        if side is not None:
            yield from _value_lines(sign, side, ", the default" if difference.is_default else "")


def _value_lines(sign: str, side: Side, note: str) -> Iterator[str]:
    value = to_inline_yaml(side.value)
    comment = f"  # {_origin(side)}{note}"
    if len(value) <= _WIDEST:
        yield f"{sign} {side.path}: {value}{comment}"
        return
    yield f"{sign} {side.path}:{comment}"
    yield from (f"{sign}   {line}" for line in to_yaml(side.value).splitlines())


def _origin(side: Side) -> str:
    place = "the mapping"
    if side.location is not None:
        file, line, _ = side.location
        place = file if file.startswith("<") else f"{file}:{line}"
    return place if side.directive in ("file", "override", "mapping") else f"{place} ({side.directive})"


def _shortened(value: Any) -> str:
    text = to_inline_yaml(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
