"""Layer 3: whether the arguments of every spec fit the signature of its component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.config import join_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.document import Mention
from offline_trainer_core.plan.fields import descend, in_words
from offline_trainer_core.plan.names import Names
from offline_trainer_core.plan.reading import component_signature, signature_note
from offline_trainer_core.signature import Misfit, Parameter, Signature, choices, find_misfit, missing_and_unknown
from offline_trainer_core.spelling import listing, nearest

__all__ = ["ArgumentCheck", "check_arguments"]

MODULE_KINDS = ("model", "nn", "block")
"""Kinds whose null arguments are dimensions to be inferred from the first batch."""


@dataclass(frozen=True)
class ArgumentCheck:
    """What layer 3 found, and the components whose signature no source tells."""

    problems: tuple[Problem, ...]
    checked: int
    unread: tuple[str, ...]


def check_arguments(names: Names) -> ArgumentCheck:
    """Check the arguments of every component of the plan that has some."""
    folders = tuple(str(module.folder) for module in names.plan.local_modules if module.folder is not None)
    problems: list[Problem] = []
    unread: list[str] = []
    calls = [call for mention, entry in names.resolved if (call := _call(mention, entry)) is not None]
    for call in calls:
        signature = component_signature(call.entry, folders)
        if signature is None:
            unread.append(call.entry.key)
            continue
        found = _check(call, signature, folders)
        severity: Literal["error", "warning"] = "error" if call.entry.signature_policy == "strict" else "warning"
        problems += [replace(problem, severity=severity) for problem in found]
    return ArgumentCheck(tuple(problems), len(calls) - len(unread), tuple(dict.fromkeys(unread)))


@dataclass(frozen=True)
class _Call:
    """A construction that the configuration asks for."""

    mention: Mention
    entry: Entry
    args: list[Any]
    kwargs: dict[str, Any]
    paths: Mapping[str, str]
    """Where each keyword argument stands."""
    args_path: str


def _call(mention: Mention, entry: Entry) -> _Call | None:
    if mention.spec is not None:
        args, kwargs, paths = mention.arguments()
        return _Call(mention, entry, args, kwargs, paths, join_path(mention.path, "_args_"))
    if mention.factory is None:
        return None
    _, outer, outer_paths = mention.factory.arguments()
    kwargs, args = outer.get("kwargs") or {}, outer.get("args") or []
    if not isinstance(kwargs, dict) or not isinstance(args, list):
        return None  # the factory's own signature tells
    paths = {key: join_path(outer_paths["kwargs"], key) for key in kwargs}
    return _Call(mention, entry, args, kwargs, paths, outer_paths.get("args", ""))


def _check(call: _Call, signature: Signature, folders: tuple[str, ...]) -> Iterator[Problem]:
    note = (signature_note(call.entry, signature),)
    delegated = call.mention.factory is not None
    inner = signature.without_first() if delegated else signature
    fit = missing_and_unknown(inner, call.args, call.kwargs)
    unknown = [_unknown(call, inner, key, note) for key in fit.unknown]
    yield from unknown
    for key in fit.twice:
        message = f"'{key}' of {call.entry.key} is given by position and by name"
        yield call.mention.document.problem("duplicate-argument", message, call.paths[key], at_key=True, notes=note)
    misspelled = {problem.suggestion for problem in unknown}
    absent = [] if delegated else fit.missing  # a factory may add arguments of its own
    for key in (name for name in absent if name not in misspelled):
        message = f"{call.entry.key} ({call.entry.label}) needs '{key}'"
        problem = call.mention.problem("missing-argument", message, notes=note, fix=f"add {key}: ...")
        yield replace(problem, config_path=call.mention.place)
    if fit.surplus:
        message = f"{call.entry.key} takes {len(inner.positional)} positional arguments, and {len(call.args)} are given"
        yield call.mention.document.problem("too-many-arguments", message, call.args_path, notes=note)
    yield from _wrong_types(call, inner, note, folders)


def _unknown(call: _Call, signature: Signature, key: str, note: tuple[str, ...]) -> Problem:
    free = [name for name in signature.names if name not in call.kwargs]
    return call.mention.document.problem(
        "unknown-argument",
        f"'{key}' is not an argument of {call.entry.key} ({call.entry.label})",
        call.paths[key],
        at_key=True,
        suggestion=nearest(key, free),
        allowed=listing(signature.names) or "no arguments",
        notes=note,
    )


def _wrong_types(
    call: _Call, signature: Signature, note: tuple[str, ...], folders: tuple[str, ...]
) -> Iterator[Problem]:
    given: list[tuple[Parameter, Any, str]] = []
    for index, (parameter, value) in enumerate(zip(signature.positional, call.args, strict=False)):
        given.append((parameter, value, join_path(call.args_path, index)))
    for key, value in call.kwargs.items():
        named = signature.find(key)
        if named is not None:
            given.append((named, value, call.paths[key]))
    for parameter, value, path in given:
        misfit = _misfit(call.entry, parameter, value, folders)
        if misfit is not None:
            place, part = descend(path, value, misfit.keys)
            allowed = choices(parameter.annotation, module=parameter.module, folders=folders)
            meant = nearest(part, allowed) if isinstance(part, str) else None
            name = place[len(path) - len(parameter.name) :] if path.endswith(parameter.name) else parameter.name
            message = f"'{name}' of {call.entry.key} takes {misfit.expected}, not {in_words(part)}"
            yield call.mention.document.problem("wrong-type", message, place, suggestion=meant, notes=note)


def _misfit(entry: Entry, parameter: Parameter, value: Any, folders: tuple[str, ...]) -> Misfit | None:
    return find_misfit(
        parameter.annotation,
        parameter.default,
        value,
        module=parameter.module,
        folders=folders,
        null_is_lazy=entry.kind in MODULE_KINDS,
    )
