"""The configuration language: YAML files, overrides and the environment to one frozen tree of located values."""

from offline_trainer_core.config.digest import config_digest
from offline_trainer_core.config.dump import to_yaml
from offline_trainer_core.config.paths import join_path, parent_path, split_path
from offline_trainer_core.config.resolve import resolve_config
from offline_trainer_core.config.secrets import masked, redacted
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
    "Config",
    "MappingNode",
    "Node",
    "ScalarNode",
    "SequenceNode",
    "config_digest",
    "join_path",
    "masked",
    "parent_path",
    "redacted",
    "resolve_config",
    "split_path",
    "to_plain",
    "to_yaml",
    "walk",
]
