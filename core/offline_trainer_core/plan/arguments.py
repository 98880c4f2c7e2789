"""Layer 3: whether the arguments of every spec fit the signature of its component."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, NamedTuple

from offline_trainer_core.config import MOST, Found
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.calls import Call, calls_of
from offline_trainer_core.plan.names import Names
from offline_trainer_core.plan.reading import signature_note
from offline_trainer_core.plan.renames import renamed_arguments
from offline_trainer_core.plan.values import wrong_types
from offline_trainer_core.signature import Signature, missing_and_unknown
from offline_trainer_core.spelling import listing, nearest

__all__ = ["ArgumentCheck", "check_arguments", "check_call", "inner_signature"]

HANDED_ON = ("optim_cls", "sched_cls")
"""Kinds of classes whose first argument is not the configuration's: the parameters, or the optimizer."""


class ArgumentCheck(NamedTuple):
    """What layer 3 found, and the components whose signature no source tells."""

    problems: Found
    checked: int
    unread: tuple[str, ...]


def check_arguments(names: Names) -> ArgumentCheck:
    """Check the arguments of every component of the plan that has some."""
    problems = Found()
    unread: list[str] = []
    calls = calls_of(names)
    for call in calls:
        if problems.is_full:
            break
        signature = names.signature(call.entry)
        if signature is None:
            unread.append(call.entry.key)
        else:
            found = list(check_call(call, signature, names.folders))
            problems += renamed_arguments(found, call.mention, call.entry, names.renames)
    return ArgumentCheck(problems, len(calls) - len(unread), tuple(dict.fromkeys(unread)))


def check_call(call: Call, signature: Signature, folders: tuple[str, ...]) -> Iterator[Problem]:
    """Yield what keeps the arguments of `call` from fitting; warnings where the component wants no more."""
    note = (signature_note(call.entry, signature),)
    inner = inner_signature(call, signature)
    severity: Literal["error", "warning"] = "error" if call.entry.signature_policy == "strict" else "warning"
    problems = [*_misfits(call, inner), *wrong_types(call, inner, folders)]
    yield from (replace(problem, notes=(*note, *problem.notes), severity=severity) for problem in problems)


def inner_signature(call: Call, signature: Signature) -> Signature:
    """Return what the configuration may give to the component that `signature` is of."""
    return signature.without_first() if call.entry.kind in HANDED_ON and call.mention.factory else signature


def _misfits(call: Call, signature: Signature) -> Iterator[Problem]:
    """Yield the arguments that are unknown, given twice, missing or too many."""
    fit = missing_and_unknown(signature, call.args, call.kwargs)
    unknown = [_unknown(call, signature, key) for key in fit.unknown[: MOST + 1]]
    yield from unknown
    for key in fit.twice:
        message = f"'{key}' of {call.entry.key} is given by position and by name"
        yield call.mention.document.problem("duplicate-argument", message, call.paths[key], at_key=True)
    misspelled = {problem.suggestion for problem in unknown}
    for key in (name for name in fit.missing if name not in misspelled):
        yield _missing(call, key)
    if fit.surplus:
        message = (
            f"{call.entry.key} takes {len(signature.positional)} positional arguments, and {len(call.args)} are given"
        )
        yield call.mention.document.problem("too-many-arguments", message, call.args_path)


def _missing(call: Call, key: str) -> Problem:
    under = f" under {call.mention.passes[1]}" if call.mention.factory else ""
    message = f"{call.entry.key} ({call.entry.label}) needs '{key}'"
    problem = call.mention.problem("missing-argument", message, fix=f"add {key}: ...{under}")
    return replace(problem, config_path=call.mention.place)


def _unknown(call: Call, signature: Signature, key: str) -> Problem:
    meant = nearest(key, signature.names)
    by_position = [parameter.name for parameter in signature.positional[: len(call.args)]]
    is_given = meant in by_position or call.mention.document.is_beside(call.paths[key], call.paths.get(meant or ""))
    already = f", and '{meant}' is already given" if is_given else ""
    return call.mention.document.problem(
        "unknown-argument",
        f"'{key}' is not an argument of {call.entry.key} ({call.entry.label}){already}",
        call.paths[key],
        at_key=True,
        suggestion=None if is_given else meant,
        allowed=listing(signature.names) or "no arguments",
    )
