"""`ot show`: a configuration as it resolves, and where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from offline_trainer_core.cli.options import config_argument, overrides_argument, traceback_option
from offline_trainer_core.cli.screen import print_yaml
from offline_trainer_core.config import MappingNode, SequenceNode, masked, resolve_config, to_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

    from offline_trainer_core.config import Config, Node

__all__ = ["command"]


@click.command("show")
@config_argument
@overrides_argument
@click.option("--origin", is_flag=True, help="Say beside each value where it was set.")
@traceback_option
def command(config: str, overrides: tuple[str, ...], origin: bool) -> None:
    """Print a configuration as it resolves.

    Files are composed, overrides applied, templates and interpolations resolved; secrets are masked.
    """
    resolved = resolve_config(config, overrides)
    text = to_yaml(masked(resolved))
    print_yaml(_with_origins(text, resolved) if origin else text)


def _with_origins(text: str, config: Config) -> str:
    import yaml

    comments: dict[int, dict[str, None]] = {}
    printed = yaml.compose(text, Loader=yaml.SafeLoader)
    assert printed is not None, "a configuration is a mapping"
    for line, origin in _origins(config.root, printed):
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
    place = f"{node.location.file}:{node.location.line}" if node.location else ""
    directive = node.history[0].directive if node.history else "file"
    return place if directive == "file" else f"{place} ({directive})"
