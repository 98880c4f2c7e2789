"""The configuration language: YAML files, overrides and the environment to one frozen tree of located values."""

from offline_trainer_core.config.difference import Change, Side, difference
from offline_trainer_core.config.digest import config_digest
from offline_trainer_core.config.dump import to_inline_yaml, to_yaml
from offline_trainer_core.config.paths import join_path, parent_path, split_path
from offline_trainer_core.config.resolve import resolve_config
from offline_trainer_core.config.secrets import is_secret_key, masked, masked_node, redacted
from offline_trainer_core.config.tree import (
    Assignment,
    Config,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    to_plain,
    walk,
)

__all__ = [
    "Assignment",
    "Change",
    "Config",
    "MappingNode",
    "Node",
    "ScalarNode",
    "SequenceNode",
    "Side",
    "config_digest",
    "difference",
    "is_secret_key",
    "join_path",
    "masked",
    "masked_node",
    "parent_path",
    "redacted",
    "resolve_config",
    "split_path",
    "to_inline_yaml",
    "to_plain",
    "to_yaml",
    "walk",
]
