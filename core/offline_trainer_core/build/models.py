"""The `model` section: one network or several named ones, each by a frontend, a spec or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from offline_trainer_core.build.spec import build_spec
from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, MappingNode, join_path
from offline_trainer_core.errors import ComponentError, ConfigError, OfflineTrainerError, Problem
from offline_trainer_core.networks import ModelOptions
from offline_trainer_core.plan import Plan
from offline_trainer_core.record import load_weights

__all__ = ["build_models"]

OPTIONS = ("init", "freeze", "weights", "strict")


def build_models(
    config: Config, registry: Registry, plan: Plan
) -> tuple[dict[str, nn.Module], dict[str, ModelOptions]]:
    """Return the networks of the `model` section by name, and what else it says of each.

    A single network is called `model`.
    """
    section = config.plain("model")
    components = section.get("components")
    if components is None:
        return {"model": _build(section, "model", config, registry, plan)}, {}
    models, options = {}, {}
    for name, definition in components.items():
        path = join_path("model.components", name)
        architecture = {key: value for key, value in definition.items() if key not in OPTIONS}
        models[name] = _build(architecture, path, config, registry, plan)
        options[name] = _options(definition, name)
    return models, options


def _options(definition: Mapping[str, Any], name: str) -> ModelOptions:
    source = definition.get("weights")
    return ModelOptions(
        init=definition.get("init"),
        freeze=bool(definition.get("freeze", False)),
        weights=None if source is None else load_weights(Path(source).expanduser(), name),
        weights_source=str(source or ""),
        strict=bool(definition.get("strict", True)),
    )


def _build(definition: Mapping[str, Any], path: str, config: Config, registry: Registry, plan: Plan) -> nn.Module:
    try:
        model = _network(definition, path, registry, plan)
    except ConfigError as error:
        raise ConfigError(_located(problem, config, plan) for problem in error.problems) from None
    if not isinstance(model, nn.Module):
        raise ComponentError(f"{path}: a model must be a torch.nn.Module, and this is a {type(model).__name__}")
    return model


def _located(problem: Problem, config: Config, plan: Plan) -> Problem:
    """Return what a frontend finds wrong while it builds, at its place in the text."""
    if problem.location is not None:
        return problem
    files = ((prefix, file) for prefix, file in plan.model_files.items() if problem.config_path.startswith(prefix))
    prefix, file = next(files, ("", config))
    path = problem.config_path[len(prefix) :].lstrip(".")
    at_key = isinstance(file.find(path), MappingNode)
    place = file.problem(problem.code, problem.message, path, at_key=at_key)
    return replace(
        problem, location=place.location, source_line=place.source_line, width=place.width, notes=place.notes
    )


def _network(definition: Mapping[str, Any], path: str, registry: Registry, plan: Plan) -> Any:
    if "_type_" in definition or "_target_" in definition:
        return build_spec(definition, registry=registry, path=path)
    if "config_path" in definition:
        place = f"{path}.config_path"
        return _network(plan.model_files[place].plain("model"), f"{place}.model", registry, plan)
    if "config" in definition:
        return _network(definition["config"]["model"], f"{path}.config.model", registry, plan)
    ((name, body),) = definition.items()
    try:
        return registry.find(f"frontend.{name}").load()(body, registry=registry, path=f"{path}.{name}")
    except OfflineTrainerError:
        raise
    except Exception as error:
        raise ComponentError(f"{path}.{name}: the model cannot be built: {error}") from error
