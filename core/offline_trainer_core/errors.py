"""Every error of Offline Trainer, and the problems that they carry.

    OfflineTrainerError                exit code
    ├── UsageError                     2   the command line cannot be carried out as typed
    ├── ConfigError                    2   the configuration is wrong; carries all its problems
    ├── ComponentError                 3   a named component cannot be imported, built or called
    ├── DataError                      4   the data is not what the configuration says
    ├── CheckpointError                5   a checkpoint is damaged, or of another run
    ├── NonFiniteError                 6   the loss or a gradient became infinite or NaN
    ├── DeviceError                    7   a device, memory, disk space or a process is missing
    └── RunStopped                    75   stopped by a signal or a deadline; resumable

The exit codes are part of the public interface.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from offline_trainer_core.cells import printable, width, window, wrapped

__all__ = [
    "UNKNOWN",
    "CheckpointError",
    "ComponentError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "Location",
    "NonFiniteError",
    "OfflineTrainerError",
    "Problem",
    "RunStopped",
    "Unknown",
    "UsageError",
    "format_error_with_context",
]


class Unknown:
    """The type of `UNKNOWN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"  # copies and pickles are the very same object


UNKNOWN = Unknown()
"""Stands for a value that a reported problem leaves open. It fits everywhere: what follows from it is not reported."""


class Location(NamedTuple):
    """A place in a text: file, and line and column counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a configuration: what, where, what is allowed, how to mend it."""

    code: str
    """Stable name of the kind of problem, such as `unknown-argument`."""
    message: str
    """One sentence that says what is wrong."""
    config_path: str = ""
    """Dotted path in the resolved tree, such as `model.sequential.layers[0].bias`."""
    location: Location | None = None
    source_line: str | None = None
    """The text of the line at `location`."""
    width: int = 1
    """Length of the offending token in characters: the carets under it."""
    suggestion: str | None = None
    """What the author probably meant."""
    allowed: str | None = None
    """What may stand here."""
    fix: str | None = None
    """The command or the YAML line that mends it."""
    notes: tuple[str, ...] = ()
    """Context, a line each: the signature of the component, what a value overrode, the include chain."""
    severity: Literal["error", "warning"] = "error"

    def render(self, columns: int | None = None) -> str:
        """Return the problem as plain text, with the source line and carets under the token.

        In `columns` cells, sentences break between words, and a longer source line is cut around the carets. Commands
        and places stay whole, so that they can be copied.
        """
        pad = " " * (len(str(self.location.line)) if self.location else 1)
        lines = [line for part in self._title() for line in wrapped(part, columns, 2)]
        place = str(self.location) if self.location else self.config_path
        if place:
            lines.append(f"{pad}--> {printable(place)}")
        hint = f"did you mean '{self.suggestion}'?" if self.suggestion else ""
        if self.location and self.source_line is not None:
            excerpt = self._excerpt(self.location, self.source_line, pad, columns)
            lines += excerpt
            if hint and (columns is None or width(f"{excerpt[-1]} {hint}") <= columns):
                lines[-1] += f" {printable(hint)}"
                hint = ""
        notes = [hint, f"at {self.config_path}" if self.location and self.config_path else "", *self.notes]
        notes.append(f"allowed: {self.allowed}" if self.allowed else "")
        for note in filter(None, notes):
            lines += wrapped(f"{pad} = {printable(note)}", columns, len(pad) + 5)
        if self.fix:
            lines.append(f"{pad} = to mend it: {printable(self.fix)}")
        return "\n".join(lines)

    def _title(self) -> list[str]:
        """Return the message; no line of it may begin with what a reader of logs takes for a command."""
        first, *more = f"{self.severity}[{self.code}]: {self.message}".split("\n")
        return [printable(first), *(f"  = {printable(line)}" for line in more)]

    def _excerpt(self, location: Location, line: str, pad: str, columns: int | None) -> list[str]:
        """Return the source line under an empty one, and the carets under the token."""
        before, token = line[: location.column - 1], line[location.column - 1 :][: max(1, self.width)]
        start = width(printable(before))
        end = start + max(1, width(printable(token)))
        room = max(20, columns - len(pad) - 3) if columns is not None else None
        shown, offset = window(printable(line), start, end, room)
        carets = min(end - offset, width(shown)) - (start - offset)
        return [
            f"{pad} |",
            f"{location.line} | {shown}",
            f"{pad} | {' ' * (start - offset)}{'^' * max(1, carets)}",
        ]


class OfflineTrainerError(Exception):
    """Base of every error that Offline Trainer raises on purpose."""

    exit_code: ClassVar[int] = 1
    reported = False
    """Whether another process of the run says the same."""


class UsageError(OfflineTrainerError):
    """The command line, or a call of the Python interface, cannot be carried out as given."""

    exit_code = 2


class ConfigError(OfflineTrainerError):
    """A configuration is wrong. `problems` holds everything that was found, in the order of the text."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        shown = "\n\n".join(problem.render() for problem in self.problems)
        return f"{shown}\n\n{count} problem{'s' if count != 1 else ''} found"


class ComponentError(OfflineTrainerError):
    """A component that the configuration names could not be imported, built or called."""

    exit_code = 3


class DataError(OfflineTrainerError):
    """The data does not have what the configuration asks of it."""

    exit_code = 4


class CheckpointError(OfflineTrainerError):
    """A checkpoint is damaged, incomplete, or belongs to another run."""

    exit_code = 5


class NonFiniteError(OfflineTrainerError):
    """The loss or a gradient became infinite or NaN, and the run was told to stop there."""

    exit_code = 6


class DeviceError(OfflineTrainerError):
    """A device, memory, disk space, or another process of the run is not available."""

    exit_code = 7


class RunStopped(OfflineTrainerError):
    """The run was asked to stop, saved its state, and can be resumed."""

    exit_code = 75


def format_error_with_context(error: BaseException) -> str:
    """Return `error` as people read it: its message, then the chain of its causes, without a traceback.

    A cause that the message already quotes is not said again.
    """
    said = str(error)
    lines = [said if isinstance(error, ConfigError) else f"error: {said}", *_notes(error)]
    cause = error.__cause__
    while cause is not None:
        if not str(cause) or str(cause) not in said:
            lines.append(f"  caused by {type(cause).__name__}: {cause}")
        lines += _notes(cause)
        said, cause = str(cause), cause.__cause__
    return "\n".join(lines)


def _notes(error: BaseException) -> list[str]:
    return [f"  {note}" for note in getattr(error, "__notes__", ())]
