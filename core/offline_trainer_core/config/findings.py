"""Collects what is wrong in one layer of a configuration, so that all of it is reported at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from offline_trainer_core.config.tree import Node, width_of
from offline_trainer_core.errors import ConfigError, Location, Problem

__all__ = ["Findings"]

_MOST = 100
_LONGEST_LINE = 400
"""Longer lines are not shown under a problem: nobody can read them on a screen."""


class Findings:
    """The texts that took part so far, and the problems found in them."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self.problems: list[Problem] = []
        self._lines: dict[str, list[str]] = {}
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
        if len(self.problems) < _MOST:
            notes = (*rest.pop("notes", ()), *self._context)
            line = self._line(location)
            self.problems.append(Problem(code, message, path, location=location, source_line=line, notes=notes, **rest))
        elif len(self.problems) == _MOST:
            message = f"there are more than {_MOST} problems; the others are shown when these are mended"
            self.problems.append(Problem("too-many-problems", message))

    def at(self, node: Node, code: str, message: str, path: str = "", **rest: Any) -> None:
        """Record a problem with the value `node`."""
        self.add(code, message, path, location=node.location, width=width_of(node), **rest)

    def raise_any(self) -> None:
        """Raise a `ConfigError` with everything that was found, if anything was."""
        if self.problems:
            raise ConfigError(self.problems)

    def _line(self, location: Location | None) -> str | None:
        if location is None or location.file not in self.sources:
            return None
        if location.file not in self._lines:
            self._lines[location.file] = self.sources[location.file].splitlines()
        lines = self._lines[location.file]
        line = lines[location.line - 1] if location.line <= len(lines) else ""
        return line if len(line) <= _LONGEST_LINE else None
