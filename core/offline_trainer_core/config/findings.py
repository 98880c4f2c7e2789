"""Collects what is wrong in a configuration while it is resolved, so that all of it is reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from offline_trainer_core.config.chain import inclusions
from offline_trainer_core.config.conceal import line_at
from offline_trainer_core.config.tree import Node, width_of
from offline_trainer_core.errors import ConfigError, Location, Problem

__all__ = ["MOST", "Findings", "Found", "as_shown", "in_text_order"]

MOST = 100
"""Errors that a report shows; nobody reads more."""


class Found(list[Problem]):
    """Problems in the order in which a layer finds them. Once it is full, the rest is not even looked for."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        super().__init__()
        self._errors = 0
        self += problems

    @property
    def is_full(self) -> bool:
        """Whether there are more errors than a report shows."""
        return self._errors > MOST

    def append(self, problem: Problem) -> None:
        """Add `problem`, if there is room."""
        if not self.is_full:
            self._errors += problem.severity == "error"
            super().append(problem)

    def __iadd__(self, problems: Iterable[Problem]) -> Found:  # type: ignore[misc,override]
        """Take from `problems` what there is room for: a generator goes no further."""
        for problem in problems:
            self.append(problem)
            if self.is_full:
                break
        return self


class Findings:
    """The texts that took part so far, and the problems found in them."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self.included: dict[str, Location] = {}
        """Where each file was named that another one includes."""
        self.problems: list[Problem] = []
        self.is_incomplete = False
        """Whether a file could not be read: what seems to be absent may be in it, and is not reported."""
        self._context: tuple[str, ...] = ()

    @contextmanager
    def within(self, note: str) -> Iterator[None]:
        """Add `note` to every problem that is found meanwhile, innermost first: the chain that led there."""
        outer = self._context
        self._context = (note, *outer)
        try:
            yield
        finally:
            self._context = outer

    def add(self, code: str, message: str, path: str = "", *, location: Location | None = None, **rest: Any) -> None:
        """Record a problem at `location`; `rest` are the other fields of `Problem`."""
        if len(self.problems) < MOST:
            notes = (*rest.pop("notes", ()), *self._context, *inclusions(location, self.included))
            line = line_at(self.sources, location)
            self.problems.append(Problem(code, message, path, location=location, source_line=line, notes=notes, **rest))
        elif len(self.problems) == MOST:
            self.problems.append(_more("error"))

    def at(self, node: Node, code: str, message: str, path: str = "", **rest: Any) -> None:
        """Record a problem with the value `node`."""
        self.add(code, message, path, location=node.location, width=width_of(node), **rest)

    def raise_any(self) -> None:
        """Raise a `ConfigError` with everything that was found, if anything was."""
        if self.problems:
            raise ConfigError(self.problems)


def as_shown(problems: Iterable[Problem], *, is_full: bool = False) -> tuple[Problem, ...]:
    """Return as many of `problems` as a report shows, and a last one where there are more; `is_full` says so, too."""
    found = [problem for problem in problems if problem.code != "too-many-problems"]
    errors = [problem for problem in found if problem.severity == "error"]
    warnings = [problem for problem in found if problem.severity == "warning"]
    dropped = {*errors[MOST:], *warnings[MOST:]}
    kept = tuple(problem for problem in found if problem not in dropped)
    if is_full or len(errors) > MOST:
        return (*kept, _more("error"))
    return (*kept, _more("warning")) if dropped else kept


def _more(severity: Literal["error", "warning"]) -> Problem:
    message = f"there are more than {MOST} problems; the others are shown when these are mended"
    return Problem("too-many-problems", message, severity=severity)


def in_text_order(problems: Iterable[Problem], files: Sequence[str]) -> tuple[Problem, ...]:
    """Return `problems` by file, line and column, each said once: `files` in their order, then others, then overrides.

    What has no place comes last. A template that is used twice is wrong once.
    """
    said: dict[object, Problem] = {}
    for problem in problems:
        said.setdefault((problem.code, problem.message, problem.location or problem.config_path), problem)
    order = {file: number for number, file in enumerate(files) if not file.startswith("<override ")}

    def place(problem: Problem) -> tuple[int, int, str, int, int]:
        if problem.location is None:
            return len(order) + 2, 0, "", 0, 0
        file, line, column = problem.location
        if file.startswith("<override "):
            return len(order) + 1, int(file[len("<override ") : -1]), "", line, column
        return order.get(file, len(order)), 0, file, line, column

    return tuple(sorted(said.values(), key=place))
