"""A configuration without its passwords and tokens, to be printed and recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from offline_trainer_core.config.paths import join_path
from offline_trainer_core.config.resolved import Config
from offline_trainer_core.config.secret_names import MASK, is_secret_key, without_secrets
from offline_trainer_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["expression_of", "hidden_values", "masked", "masked_node", "masked_places"]


def masked(config: Config) -> Any:
    """Return the configuration as plain data with every secret replaced by `***`.

    Secret are values that came from a variable such as `HF_TOKEN`, in whole or in part, what stands under keys such as
    `api_key` and `password`, and what looks like a token of a known kind or has the password of an address in it.
    """
    return masked_node(config.root)


def masked_places(config: Config) -> dict[str, str | None]:
    """Return the path of everything that `masked` hides, with the text that it was resolved from: `${env:HF_TOKEN}`.

    None where that text would itself show the secret.
    """
    return dict(_masked_places(config.root, "", False))


def _masked_places(node: Node, path: str, secret: bool) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, MappingNode):
        for key, child in node.items.items():
            yield from _masked_places(child, join_path(path, key), secret or is_secret_key(key))
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from _masked_places(item, join_path(path, index), secret)
    elif _is_hidden(node, secret):
        yield path, expression_of(node)


def expression_of(node: ScalarNode) -> str | None:
    """Return the text with `${...}` that the value of `node` was resolved from; None where that would show a secret."""
    written = node.replaced.value if isinstance(node.replaced, ScalarNode) else None
    if not node.directive.startswith("interpolation ") or not isinstance(written, str) or "${" not in written:
        return None
    return written if without_secrets(written) == written else None


def masked_node(node: Node, secret: bool = False) -> Any:
    """Return `node` as plain data without secrets; `secret` says that a key above it is one."""
    if isinstance(node, MappingNode):
        return {key: masked_node(child, secret or is_secret_key(key)) for key, child in node.items.items()}
    if isinstance(node, SequenceNode):
        return [masked_node(item, secret) for item in node.items]
    return MASK if _is_hidden(node, secret) else node.value


def hidden_values(root: Node) -> Iterator[str]:
    """Yield the text of every secret in `root` and in what it replaced."""
    yield from _hidden(root, False, set())


def _hidden(node: Node, secret: bool, seen: set[tuple[int, bool]]) -> Iterator[str]:
    older: Node | None = node
    while older is not None and (id(older), secret) not in seen:
        seen.add((id(older), secret))
        if isinstance(older, MappingNode):
            for key, child in older.items.items():
                yield from _hidden(child, secret or is_secret_key(key), seen)
        elif isinstance(older, SequenceNode):
            for item in older.items:
                yield from _hidden(item, secret, seen)
        elif _is_hidden(older, secret) and str(older.value) and (older is node or "${" not in str(older.value)):
            yield str(older.value)
        older = older.replaced


def _is_hidden(node: ScalarNode, secret: bool) -> bool:
    return node.secret or (secret and node.value is not None and not isinstance(node.value, bool))
