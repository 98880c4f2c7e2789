"""Writes a configuration as YAML that resolves to the same tree."""

from __future__ import annotations

import re
from typing import Any

import yaml

from offline_trainer_core.config.scalars import NUMBER
from offline_trainer_core.config.tree import MappingNode, ScalarNode, SequenceNode, to_plain
from offline_trainer_core.errors import Unknown

__all__ = ["escaped", "to_inline_yaml", "to_yaml"]


class _Dumper(yaml.SafeDumper):
    """Quotes strings that this language, or YAML 1.1, would take for something else: others read the files too."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML would write these line breaks as they are, and reading them back folds them.
    style = '"' if _UNUSUAL_BREAK.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_UNUSUAL_BREAK = re.compile("[\x85\u2028\u2029]")
_Dumper.add_representer(str, _represent_text)
# What a problem leaves open never stands in a file, but it may be shown.
_Dumper.add_representer(Unknown, lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:str", "<unknown>"))
_Dumper.add_implicit_resolver("!number", NUMBER, list("+-.0123456789"))


def to_yaml(tree: Any) -> str:
    """Return a resolved node, or plain data, as YAML that resolves to the same data; equal data gives equal text."""
    plain = to_plain(tree) if isinstance(tree, (ScalarNode, SequenceNode, MappingNode)) else tree
    text: str = yaml.dump(escaped(plain), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**16)
    return text


def to_inline_yaml(tree: Any) -> str:
    """Return a value as YAML on one line, as it would stand behind its key."""
    plain = to_plain(tree) if isinstance(tree, (ScalarNode, SequenceNode, MappingNode)) else tree
    text: str = yaml.dump(
        escaped(plain), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**16, default_flow_style=True
    )
    return " ".join(text.removesuffix("...\n").split("\n")).strip()


def escaped(value: Any) -> Any:
    """Return resolved plain data as data that resolves to it: texts keep what looks like an expression."""
    if isinstance(value, dict):
        return {key: escaped(below) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [escaped(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value
