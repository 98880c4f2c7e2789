"""`ot show`: a configuration as it resolves, and where each value comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from offline_trainer_core.cli.options import config_argument, overrides_argument, traceback_option
from offline_trainer_core.cli.screen import print_yaml
from offline_trainer_core.cli.source import config_source
from offline_trainer_core.config import MappingNode, SequenceNode, masked_node, resolve_config, split_path
from offline_trainer_core.config.dump import to_yaml
from offline_trainer_core.config.secret_names import is_secret_path, without_secrets
from offline_trainer_core.errors import UsageError
from offline_trainer_core.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

    from offline_trainer_core.config import Config, Node

__all__ = ["command"]


@click.command("show")
@config_argument
@overrides_argument
@click.option("--origin", is_flag=True, help="Say beside each value where it was set.")
@click.option("--only", metavar="PATH", default="", help="Show the value at this path alone.")
@click.option("--format", "style", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@traceback_option
def command(config: str, overrides: tuple[str, ...], origin: bool, only: str, style: str) -> None:
    """Print a configuration as it resolves.

    Files are composed, overrides applied, templates and interpolations resolved; secrets are masked. CONFIG may be the
    folder of a run.
    """
    resolved = resolve_config(config_source(config), overrides)
    node = _at(resolved, only)
    value = masked_node(node, is_secret_path(split_path(only)))
    if style == "json":
        if origin:
            raise UsageError(
                "--origin writes comments, which JSON does not have: leave out one of --origin and --format"
            )
        click.echo(json.dumps(value, indent=2))
        return
    text = to_yaml(value).removesuffix("...\n")
    print_yaml(_with_origins(text, node) if origin else text)


def _at(config: Config, path: str) -> Node:
    node = config.find(path)
    if node is None:
        hint = did_you_mean(path, [known for known, _ in config.walk() if known])
        raise UsageError(f"nothing is set at '{path}'{hint}")
    return node


def _with_origins(text: str, node: Node) -> str:
    import yaml

    comments: dict[int, dict[str, None]] = {}
    printed = yaml.compose(text, Loader=yaml.SafeLoader)
    assert printed is not None, "a value is shown as something"
    for line, origin in _origins(node, printed):
        comments.setdefault(line, {})[origin] = None
    lines = text.splitlines()
    width = min(60, max(len(lines[number]) for number in comments))
    for number, origins in comments.items():
        lines[number] = f"{lines[number].ljust(width)}  # {', '.join(origins)}"
    return "\n".join(lines)


def _origins(node: Node, shown: yaml.Node) -> Iterator[tuple[int, str]]:
    """Yield (line of the text, origin) for every value; `shown` is the YAML node that `node` was printed as."""
    if isinstance(node, MappingNode) and node.items:
        for key, value in shown.value:
            yield from _origins(node.items[key.value], value)
    elif isinstance(node, SequenceNode) and node.items:
        for item, value in zip(node.items, shown.value, strict=True):
            yield from _origins(item, value)
    elif node.location is not None:
        yield shown.start_mark.line, _origin(node)


def _origin(node: Node) -> str:
    assert node.location is not None
    file, line, _ = node.location
    place = file if node.directive == "override" else f"{file}:{line}"
    return place if node.directive in ("file", "override") else f"{place} ({without_secrets(node.directive)})"
