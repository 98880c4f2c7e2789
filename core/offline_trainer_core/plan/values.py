"""Whether the values of arguments are of the types that annotations and defaults tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from offline_trainer_core.config import join_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.calls import Call
from offline_trainer_core.plan.fields import descend, in_words
from offline_trainer_core.signature import (
    Misfit,
    Object,
    Parameter,
    Signature,
    choices,
    find_misfit,
    kind_of,
    read_signature,
)
from offline_trainer_core.spelling import nearest

__all__ = ["wrong_types"]


SHOWN = 8
"""How many choices a message names; there is a line of its own for more."""


def wrong_types(call: Call, signature: Signature, folders: tuple[str, ...]) -> Iterator[Problem]:
    """Yield a problem for every value, or part of one, that is not of its parameter's type."""
    for name, parameter, value, path in _given(call, signature):
        misfit = find_misfit(
            parameter.annotation,
            parameter.default,
            value,
            module=parameter.module,
            folders=folders,
            null_is_lazy=value is None and _may_be_inferred(call, parameter, signature),
        )
        if misfit is not None:
            allowed = choices(parameter.annotation, module=parameter.module, folders=folders)
            yield _problem(call, name, misfit, value, path, allowed)


def _may_be_inferred(call: Call, parameter: Parameter, signature: Signature) -> bool:
    """Whether null may stand for an input dimension: the first argument of a layer of torch that has a lazy form."""
    if call.entry.kind != "nn" or not call.in_definition or parameter not in signature.positional[:1]:
        return False
    module, _, name = call.entry.reference.partition(":")
    return read_signature(f"{module}:Lazy{name}") is not None


def _given(call: Call, signature: Signature) -> Iterator[tuple[str, Parameter, Any, str]]:
    """Yield every argument with its parameter: those beyond the named ones with `*args` or `**kwargs`."""
    rest = {p.kind: p for p in signature.parameters if p.kind in ("var_positional", "var_keyword")}
    for index, value in enumerate(call.args):
        more = index >= len(signature.positional)
        parameter = rest.get("var_positional") if more else signature.positional[index]
        if parameter is not None:
            yield parameter.name, parameter, value, join_path(call.args_path, index)
    for key, value in call.kwargs.items():
        parameter = signature.find(key) or rest.get("var_keyword")
        if parameter is not None:
            yield key, parameter, value, call.paths[key]


def _problem(call: Call, name: str, misfit: Misfit, value: Any, path: str, allowed: tuple[str, ...]) -> Problem:
    place, part = descend(path, value, misfit.keys)
    shown = place[len(path) - len(name) :] if path.endswith(name) else name
    takes = f"'{shown}' of {call.entry.key} takes {misfit.expected}"
    objects = [member for member in misfit.form.members() if isinstance(member, Object)]
    if kind_of(part) is not None:
        key = "_type_" if "_type_" in part else "_target_"
        message, code = f"{takes}, not the component {part[key]}", "wrong-kind" if objects else "wrong-type"
        return call.mention.document.problem(code, message, join_path(place, key))
    meant = nearest(part, allowed) if isinstance(part, str) else None
    instead = misfit.instead or _component_for(objects)
    last = misfit.keys[-1] if misfit.keys else name
    fix = f"{last}: {instead}" if isinstance(last, str) else f"write {instead}"
    return call.mention.document.problem(
        "wrong-type",
        f"{takes}, not {in_words(part)}",
        place,
        suggestion=meant,
        allowed=", ".join(allowed) if len(allowed) > SHOWN else None,
        fix=fix if instead and not meant else None,
    )


def _component_for(objects: list[Object]) -> str | None:
    """Return the spec that an object wants, where the kind is known that makes it."""
    kinds = next((form.kinds for form in objects if form.kinds), None)
    return f"{{_type_: {kinds[0]}.<name>}}" if kinds else None
