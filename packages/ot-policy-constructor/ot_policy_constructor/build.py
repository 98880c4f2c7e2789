"""The policy constructor as a library: a model file, or its content, becomes a `torch.nn.Module`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import offline_trainer_core as core
from ot_policy_constructor.ir import split_frontend

if TYPE_CHECKING:
    from torch import nn


def build_model(source: str | PathLike[str] | Mapping[str, Any], *, registry: Any = None) -> nn.Module:
    """Return the module that a model file describes; a mapping stands for the content of a file.

    Components come from `registry`, by default from everything that is installed. Raises `ConfigError` with every
    problem and its place in the file.
    """
    config = core.resolve_config(source)
    registry = core.build_registry() if registry is None else registry
    try:
        frontends = tuple(key.removeprefix("frontend.") for key in registry.keys("frontend"))
        name, definition = split_frontend(config.plain(), frontends)
        model: nn.Module = registry.get_module(f"frontend.{name}").target(definition, registry=registry)
    except core.ConfigError as error:
        raise core.ConfigError(_locate(problem, config) for problem in error.problems) from None
    return model


def _locate(problem: core.Problem, config: core.Config) -> core.Problem:
    at_key = problem.code in ("unknown-key", "reserved-name", "unused-module")
    place = config.problem(problem.code, problem.message, problem.config_path, at_key=at_key)
    return replace(problem, location=place.location, source_line=place.source_line, width=place.width)
