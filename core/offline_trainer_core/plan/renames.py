"""What was called otherwise before: tables that packages declare, read from source. Nothing is imported.

A distribution advertises a table under `offline_trainer.renames`. It is a literal list of

    {"component": "loss.smooth", "to": "loss.huber", "since": "1.3"}
    {"component": "loss.huber", "argument": "beta", "to": "delta", "since": "1.3"}
    {"component": "loss.huber", "argument": "scale", "to": None, "since": "1.3", "why": "multiply in the algorithm"}

A rename says something only where the old name is gone: while it works, nobody needs to know.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from offline_trainer_core.catalogue import CORE, Entry
from offline_trainer_core.config import split_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.installed import BrokenDistribution, normalized
from offline_trainer_core.plan.document import Document, Mention
from offline_trainer_core.signature import read_module

__all__ = ["Rename", "Renames", "renamed_arguments", "renamed_component"]

_KEYS = {"component", "argument", "to", "since", "why"}
_MOST_STEPS = 20
_OURS = [
    {"component": "trainer.default", "argument": "accumulate_grad_batches", "to": "grad_accum_steps", "since": "0.1"},
    {"component": "trainer.default", "argument": "gradient_clip_val", "to": "grad_clip_norm", "since": "0.1"},
]
"""What this project itself renamed."""


class Rename(NamedTuple):
    """One line of a table; `to` is None where the name is gone without a successor."""

    component: str
    to: str | None
    since: str
    distribution: str
    argument: str | None = None
    why: str = ""

    @property
    def code(self) -> str:
        """The code of the problem that the old name is."""
        return "renamed" if self.to is not None else "removed"

    def sentence(self, old: str, to: str | None, owner: str = "") -> str:
        """Return what happened to the name `old`, as the message of a problem."""
        why = f": {self.why}" if self.why else ""
        happened = f"renamed to '{to}'" if to is not None else "removed"
        return f"'{old}'{owner} was {happened} in {self.distribution} {self.since}{why}"


class Renames:
    """The tables of all installed distributions. `broken` says which could not be read, and why."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.broken: list[BrokenDistribution] = []
        self._all = [_rename(line, CORE) for line in _OURS]
        for entry in entries:
            try:
                self._all += [_rename(line, entry.distribution) for line in _table(entry)]
            except ValueError as error:
                reason = f"its renames ({entry.reference}) cannot be read: {error}"
                self.broken.append(BrokenDistribution(entry.distribution, reason))

    def explanations(self, distribution: str | None = None) -> tuple[str, ...]:
        """Return which tables, or which of a distribution's, could not be read: an old name may be in them."""
        return tuple(f"{name}: {reason}" for name, reason in self.broken if distribution in (None, name))

    def component(self, key: str) -> Rename | None:
        """Return what became of the component `key` in the end; `key@distribution` asks its own table only."""
        bare, at, distribution = key.partition("@")
        return self._followed(
            bare,
            lambda rename: rename.argument is None and (not at or rename.distribution == normalized(distribution)),
        )

    def argument(self, component: str, name: str) -> Rename | None:
        """Return what became of an argument of `component`, declared under this name or an earlier one."""
        owners = {component}
        for _ in range(_MOST_STEPS):
            owners |= {r.component for r in self._all if r.argument is None and r.to in owners}
        return self._followed(name, lambda rename: rename.argument is not None and rename.component in owners)

    def _followed(self, name: str, applies: Callable[[Rename], bool]) -> Rename | None:
        found: Rename | None = None
        for _ in range(_MOST_STEPS):
            following = next((r for r in self._all if applies(r) and (r.argument or r.component) == name), None)
            if following is None:
                return found
            found = following
            if following.to is None:
                return found
            name = following.to
        return None  # a circle


def renamed_component(mention: Mention, tables: Iterable[Entry]) -> Problem | None:
    """Return the problem that `mention` uses a name of before, or None where no table knows it."""
    rename = Renames(tables).component(mention.key)
    if rename is None or mention.implied:
        return None
    _, at, distribution = mention.key.partition("@")
    to = f"{rename.to.removeprefix(mention.prefix)}{at}{distribution}" if rename.to is not None else None
    message = rename.sentence(mention.key.removeprefix(mention.prefix), to)
    return mention.problem(rename.code, message, suggestion=to, fix=_fix(mention.document, rename))


def renamed_arguments(
    problems: Sequence[Problem], mention: Mention, entry: Entry, tables: Iterable[Entry]
) -> list[Problem]:
    """Return `problems` with a call where unknown arguments that were renamed or removed say so."""
    if not any(problem.code == "unknown-argument" for problem in problems):
        return list(problems)
    renames = Renames(tables)
    found = [_renamed_argument(problem, mention, entry, renames) for problem in problems]
    given = {problem.suggestion for problem in found if problem.code == "renamed"}
    return [problem for problem in found if problem.code != "missing-argument" or _missing_name(problem) not in given]


def _renamed_argument(problem: Problem, mention: Mention, entry: Entry, renames: Renames) -> Problem:
    name = str(split_path(problem.config_path)[-1])
    rename = renames.argument(entry.key, name) if problem.code == "unknown-argument" else None
    if rename is None:
        broken = renames.explanations(entry.distribution) if problem.code == "unknown-argument" else ()
        return replace(problem, notes=(*problem.notes, *broken))
    message = rename.sentence(name, rename.to, f" of {entry.key}")
    return replace(problem, code=rename.code, message=message, suggestion=rename.to, fix=_fix(mention.document, rename))


def _missing_name(problem: Problem) -> str:
    return problem.message.rpartition("needs '")[2].rstrip("'")


def _fix(document: Document, rename: Rename) -> str | None:
    file = next(iter(document.config.files), None)
    if rename.to is None or file is None:
        return None
    return f"ot migrate --in-place {shlex.quote(file)}"


def _table(entry: Entry) -> list[Any]:
    module_name, _, attribute = entry.reference.partition(":")
    module = read_module(module_name)
    if module is None:
        raise ValueError(f"there is no source of {module_name}")
    value = module.bindings.get(attribute)
    if not isinstance(value, ast.expr):
        raise ValueError(f"{module_name} does not assign a list to {attribute}")
    try:
        table = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError("a table is a literal list of dicts: it is read without running anything") from None
    if not isinstance(table, (list, tuple)):
        raise ValueError("a table is a list of dicts")
    return list(table)


def _rename(line: Any, distribution: str) -> Rename:
    """Return one line of a table. Raises `ValueError` that says what is wrong with it."""
    if not isinstance(line, dict) or not {"component", "to", "since"} <= line.keys() <= _KEYS:
        raise ValueError(f"{line!r}: a line has component, to and since, and may have argument and why")
    wrong = [key for key, value in line.items() if not isinstance(value, str) and (key != "to" or value is not None)]
    if wrong:
        raise ValueError(f"{line!r}: {wrong[0]} is a string")
    return Rename(line["component"], line["to"], line["since"], distribution, line.get("argument"), line.get("why", ""))
