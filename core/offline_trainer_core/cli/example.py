"""Writes the YAML that names a component, from its signature alone."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from offline_trainer_core.signature import type_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from offline_trainer_core.signature import Parameter, Signature

__all__ = ["example_yaml"]

# Where a component of each kind stands; `-` marks an item of a list.
_PLACES = {
    "algo": "algorithm",
    "cb": "callbacks -",
    "data": "data",
    "io": "io",
    "launcher": "run.launcher",
    "log": "loggers -",
    "loss": "loss",
    "metric": "metrics -",
    "model": "model",
    "optim_factory": "optimizer",
    "sched_factory": "scheduler",
    "strategy": "run.strategy",
    "trainer": "trainer",
}
# Classes that a factory builds: the factory's section, and the factory.
_BUILT_BY = {"optim_cls": ("optimizer", "optim_factory.torch"), "sched_cls": ("scheduler", "sched_factory.torch")}
_MISSING = "???"


def example_yaml(key: str, signature: Signature) -> str:
    """Return YAML that uses the component `key`: required arguments as `???`, the others with their defaults.

    Empty for a frontend, whose arguments are the language of its models, and for an exporter, which no file names.
    """
    kind, _, name = key.partition(".")
    if kind in ("frontend", "export"):
        return ""
    if kind == "op":
        values = ", ".join(f"${name}" for name in signature.required)
        return f"- call: op:{name}\n  args: [{values}]\n  out: y"
    if kind in _BUILT_BY:
        section, factory = _BUILT_BY[kind]
        arguments = _arguments(signature.without_first().parameters)
        return "\n".join(
            [
                f"{section}:",
                f"  _type_: {factory}",
                f"  type: {name}",
                "  kwargs:",
                *(f"    {line}" for line in arguments),
            ]
        )
    return "\n".join(_placed(_PLACES.get(kind, "-"), [f"_type_: {key}", *_arguments(signature.parameters)]))


def _placed(place: str, body: list[str]) -> list[str]:
    keys = place.replace(".", " ").replace("-", "").split()
    lines = [f"{'  ' * depth}{key}:" for depth, key in enumerate(keys)]
    indent = "  " * len(keys)
    first, later = ("- ", "  ") if place.endswith("-") else ("", "")
    return [*lines, f"{indent}{first}{body[0]}", *(f"{indent}{later}{line}" for line in body[1:])]


def _arguments(parameters: Iterable[Parameter]) -> list[str]:
    """Return a line for each argument, the comments in one column."""
    given = [parameter for parameter in parameters if not parameter.kind.startswith("var_")]
    by_position = [parameter.name for parameter in given if parameter.kind == "positional_only"]
    lines = [_argument(parameter) for parameter in given if parameter.name not in by_position]
    if by_position:
        lines.insert(0, (f"_args_: [{', '.join(repr(_MISSING) for _ in by_position)}]", ", ".join(by_position)))
    width = max((len(text) for text, _ in lines), default=0)
    return [f"{text.ljust(width)}  # {comment}" if comment else text for text, comment in lines]


def _argument(parameter: Parameter) -> tuple[str, str]:
    if not parameter.has_default:
        return f"{parameter.name}: {_MISSING}", ", ".join(filter(None, (type_in_words(parameter), "required")))
    try:
        return f"{parameter.name}: {_flow(ast.literal_eval(parameter.default))}", type_in_words(parameter)
    except (ValueError, SyntaxError):
        return f"# {parameter.name}:", f"default {parameter.default}"


def _flow(value: Any) -> str:
    import yaml

    value = list(value) if isinstance(value, tuple | set) else value
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
