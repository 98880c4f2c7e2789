"""The signature of a live object, in the same form as one that was read from source."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from offline_trainer_core.errors import ConfigError, Problem
from offline_trainer_core.signature.parameters import Kind, Parameter, Signature, missing_and_unknown

__all__ = ["signature_of", "validate_kwargs"]

ANYTHING = (Parameter("args", "var_positional"), Parameter("kwargs", "var_keyword"))
KINDS: dict[Any, Kind] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional_only",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional",
    inspect.Parameter.VAR_POSITIONAL: "var_positional",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_KEYWORD: "var_keyword",
}


def signature_of(target: Callable[..., Any]) -> Signature:
    """Return what `target` takes; anything at all where Python cannot tell either."""
    try:
        parameters = tuple(_parameter(p, target) for p in inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        parameters = ANYTHING
    if _is_bare_torch_module(target):
        parameters = ()
    file, line = _place(target)
    return Signature(parameters, inspect.getdoc(target) or "", file, line)


def validate_kwargs(
    target: Callable[..., Any], *, kwargs: Mapping[str, Any], policy: str = "strict", config_path: str = ""
) -> None:
    """Raise `ConfigError` with every unknown and every missing keyword argument of `target`.

    Under the policy `best_effort` nothing is raised: calling the target will tell.
    """
    if policy == "best_effort":
        return
    signature = signature_of(target)
    name = getattr(target, "__qualname__", type(target).__name__)
    fit = missing_and_unknown(signature, (), kwargs)
    note = (signature.text(name),)
    unknown = [
        Problem(
            "unknown-argument", f"'{key}' is not an argument of {name}", f"{config_path}.{key}".strip("."), notes=note
        )
        for key in fit.unknown
    ]
    missing = [
        Problem("missing-argument", f"{name} needs '{key}'", config_path, notes=note, fix=f"add {key}: ...")
        for key in fit.missing
    ]
    if unknown or missing:
        raise ConfigError([*unknown, *missing])


def _parameter(parameter: inspect.Parameter, target: Any) -> Parameter:
    has_default = parameter.default is not inspect.Parameter.empty
    annotation = "" if parameter.annotation is inspect.Parameter.empty else _text(parameter.annotation)
    default = repr(parameter.default) if has_default else ""
    module = getattr(target, "__module__", None) or ""
    return Parameter(parameter.name, KINDS[parameter.kind], has_default, default, annotation, module)


def _text(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _is_bare_torch_module(target: Any) -> bool:
    """Whether `target` leaves construction to torch's Module, whose `*args, **kwargs` refuse whatever is given."""
    init = getattr(target, "__init__", None) if inspect.isclass(target) else None
    return getattr(init, "__module__", "") == "torch.nn.modules.module"


def _place(target: Any) -> tuple[str | None, int | None]:
    try:
        return inspect.getsourcefile(target), inspect.getsourcelines(target)[1]
    except (OSError, TypeError):
        return None, None
