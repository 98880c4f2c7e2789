"""The configuration language: YAML files, overrides and the environment to one frozen tree of located values."""

from offline_trainer_core.config.chain import inclusions
from offline_trainer_core.config.findings import MOST, Found, as_shown, in_text_order
from offline_trainer_core.config.paths import join_path, parent_path, split_path
from offline_trainer_core.config.read import refusal
from offline_trainer_core.config.redaction import concealing, redacted
from offline_trainer_core.config.resolve import Resolution, resolve_config, try_resolve
from offline_trainer_core.config.resolved import Config
from offline_trainer_core.config.secret_names import MASK, is_secret_key
from offline_trainer_core.config.secrets import masked, masked_node, masked_places
from offline_trainer_core.config.tree import (
    Assignment,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    has_unknown,
    is_unknown,
    to_plain,
    walk,
)

__all__ = [
    "MASK",
    "MOST",
    "Assignment",
    "Config",
    "Found",
    "MappingNode",
    "Node",
    "Resolution",
    "ScalarNode",
    "SequenceNode",
    "as_shown",
    "concealing",
    "has_unknown",
    "in_text_order",
    "inclusions",
    "is_secret_key",
    "is_unknown",
    "join_path",
    "masked",
    "masked_node",
    "masked_places",
    "parent_path",
    "redacted",
    "refusal",
    "resolve_config",
    "split_path",
    "to_plain",
    "try_resolve",
    "walk",
]
