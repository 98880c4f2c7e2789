"""Keeps passwords and tokens out of what is printed and recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from offline_trainer_core.config.tree import Config, MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["is_secret_key", "is_secret_variable", "masked", "redacted"]

MASK = "***"
# Keys are matched narrowly: `pad_token` and `max_tokens` are no secrets. Variables widely: nobody exports a pad token.
_KEY = re.compile(
    r"(.*[_-])?(api_?key|access_?key|secret_?key|private_?key|secret|password|passwd|passphrase|credentials?)"
    r"|((.*[_-])?(auth|access|api|bearer|refresh|hf|wandb)[_-])?token",
    re.IGNORECASE,
)
_VARIABLE = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|KEY|APIKEY)(_|$)",
    re.IGNORECASE,
)


def is_secret_key(key: str | int) -> bool:
    """Return whether a value under `key` should not be shown."""
    return isinstance(key, str) and _KEY.fullmatch(key) is not None


def is_secret_variable(name: str) -> bool:
    """Return whether the value of the environment variable `name` should not be shown."""
    return name != "PWD" and _VARIABLE.search(name) is not None


def masked(config: Config) -> Any:
    """Return the configuration as plain data with every secret replaced by `***`.

    Secret are values that came from a variable such as `HF_TOKEN`, in whole or in part, and what stands under keys
    such as `api_key` and `password`.
    """
    return _masked(config.root, False)


def redacted(text: str, config: Config) -> str:
    """Return `text` with every value replaced by `***` that `masked` replaces: for sources, overrides and messages."""
    for value in sorted(_hidden(config.root, False), key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def _hidden(node: Node, secret: bool) -> Iterator[str]:
    if isinstance(node, MappingNode):
        for key, child in node.items.items():
            yield from _hidden(child, secret or is_secret_key(key))
    elif isinstance(node, SequenceNode):
        for item in node.items:
            yield from _hidden(item, secret)
    elif _is_hidden(node, secret) and str(node.value):
        yield str(node.value)


def _is_hidden(node: ScalarNode, secret: bool) -> bool:
    return node.secret or (secret and node.value is not None and not isinstance(node.value, bool))


def _masked(node: Node, secret: bool) -> Any:
    if isinstance(node, MappingNode):
        return {key: _masked(child, secret or is_secret_key(key)) for key, child in node.items.items()}
    if isinstance(node, SequenceNode):
        return [_masked(item, secret) for item in node.items]
    return MASK if _is_hidden(node, secret) else node.value
