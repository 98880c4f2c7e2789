"""Lazy layers: `null` for an input dimension makes the form of a layer that takes it from the first batch."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from offline_trainer_core import ConfigError, Problem, join_path

LAZY_FORMS = {getattr(nn, name).cls_to_become: f"nn.{name}" for name in dir(nn) if name.startswith("Lazy")}
"""The key of the lazy form of every layer that torch has one for. Its arguments lack the layer's first one."""


def lazy_variant(spec: Any, *, registry: Any, path: str) -> Any:
    """Return `spec` with each layer whose input dimension is null replaced by its lazy form, at any depth.

    Only torch's own layers are looked at: what null means to another component is for that component to say. Raises
    `ConfigError` where a layer has no lazy form, or where the dimension that is null is not its input.
    """
    if isinstance(spec, list):
        return [lazy_variant(item, registry=registry, path=f"{path}[{index}]") for index, item in enumerate(spec)]
    if not isinstance(spec, Mapping):
        return spec
    spec = {key: lazy_variant(value, registry=registry, path=join_path(path, key)) for key, value in spec.items()}
    if "_type_" not in spec or not _has_null(spec):
        return spec
    target = registry.get_module(spec["_type_"]).target
    nulls = [name for name, value in _dimensions(target, spec).items() if value is None]
    return _lazy_spec(spec, target, nulls, path) if nulls else spec


def _has_null(spec: Mapping[str, Any]) -> bool:
    args, kwargs = _arguments(spec)
    return None in (*args, *kwargs.values())


def _arguments(spec: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    named = {key: value for key, value in spec.items() if key not in ("_type_", "_args_", "_kwargs_")}
    return list(spec.get("_args_") or ()), named | dict(spec.get("_kwargs_") or {})


def _dimensions(target: Any, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `spec` gives for the arguments that a layer of torch cannot be made without."""
    if not (inspect.isclass(target) and issubclass(target, nn.Module) and target.__module__.startswith("torch.nn.")):
        return {}
    names = [name for name, parameter in inspect.signature(target).parameters.items() if _is_required(parameter)]
    if issubclass(target, nn.RNNBase):
        # Its subclasses are declared as (*args, **kwargs).
        names = ["input_size", "hidden_size"]
    args, kwargs = _arguments(spec)
    given = dict(zip(names, args, strict=False)) | kwargs
    return {name: given[name] for name in names if name in given}


def _is_required(parameter: inspect.Parameter) -> bool:
    named = parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return named and parameter.default is inspect.Parameter.empty


def _lazy_spec(spec: Mapping[str, Any], target: type[nn.Module], nulls: list[str], path: str) -> dict[str, Any]:
    key = spec["_type_"]
    if target not in LAZY_FORMS:
        allowed = ", ".join(sorted(f"nn.{layer.__name__}" for layer in LAZY_FORMS))
        message = f"'{key}' has no lazy form: {', '.join(nulls)} cannot be null"
        raise ConfigError([Problem("not-lazy", message, f"{path}.{nulls[0]}", allowed=f"null in {allowed}")])
    dimension = next(iter(inspect.signature(target).parameters))
    others = [name for name in nulls if name != dimension]
    if others:
        message = f"{', '.join(others)} of '{key}' cannot be null: only its input dimension, {dimension}, is lazy"
        raise ConfigError([Problem("not-lazy", message, f"{path}.{others[0]}")])
    args, kwargs = _arguments(spec)
    kwargs = _own_defaults(target, skip=max(1, len(args))) | kwargs
    kwargs.pop(dimension, None)
    return {"_type_": LAZY_FORMS[target], "_args_": args[1:], "_kwargs_": kwargs}


def _own_defaults(target: type[nn.Module], skip: int) -> dict[str, Any]:
    """Return the defaults of a layer after its first arguments: those of its lazy form may be others (InstanceNorm)."""
    parameters = list(inspect.signature(target).parameters.values())[skip:]
    return {parameter.name: parameter.default for parameter in parameters if not _is_required(parameter)}
