"""What a component's reader tells of it, before anything is imported: what it offers to others, and what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from offline_trainer_core.nest import parse_path

__all__ = ["Calls", "Finding", "Handed", "Invocation", "Read", "Reading", "read_by"]

Names = tuple[str, ...]


class Read(NamedTuple):
    """Something that a component reads from another: the text at `where` names `path` in `source`."""

    where: str
    source: str
    path: tuple[str | int, ...]


class Calls(NamedTuple):
    """How an io calls the model: with so many positional arguments, and keyword arguments named at these places."""

    positional: int
    keywords: Mapping[str, str]


class Handed(NamedTuple):
    """Keyword arguments that a component hands on to another: their names at `where`, and the key of that one."""

    where: str
    key: str
    options: Names


class Invocation(NamedTuple):
    """How an algorithm calls a model component, the only one where `component` is None; `where` says so.

    It is called with what is `given`, and with what it takes of what is `offered`: names and where they are written.
    Something offered that no component takes is a mistake, unless its place is None.
    """

    where: str
    component: str | None
    given: Mapping[str, str]
    offered: Mapping[str, str | None]


class Finding(NamedTuple):
    """Something that is wrong with a component's arguments. `where` is relative to them."""

    where: str
    code: str
    message: str
    suggestion: str | None


class Reading(NamedTuple):
    """A reader's account of one component. None stands for what cannot be told."""

    inputs: Names | None
    """A model: what it is called with."""
    optional: Names
    """A model: those of its inputs that may be left out."""
    outputs: Names | None
    """A model: the names of what it returns, where it returns a mapping."""
    fields: Names | None
    """Data: what a batch has."""
    calls: Calls | None
    """An io: what it calls the model with."""
    targets: Names | None
    """An io: the names of its targets, where they are a mapping."""
    invokes: tuple[Invocation, ...]
    """An algorithm: how it calls model components."""
    trains: str | None
    """An algorithm: the model component that `io` and `loss` are for, where there are several."""
    reports: Names | None
    """What validation gains a number for by this algorithm, loss or metric; an evaluation: the names of its scores."""
    reads: tuple[Read, ...]
    hands: tuple[Handed, ...]
    references: tuple[tuple[str, str], ...]
    """Keys of components that the arguments name outside of specs: where, and which."""
    problems: tuple[Finding, ...]


def read_by(reader: Any, arguments: Mapping[str, Any]) -> Reading:
    """Return what `reader` tells of `arguments`. Raises whatever it raises, and on an account of the wrong form."""
    told = reader(arguments)
    calls, trains = getattr(told, "calls", None), getattr(told, "trains", None)
    return Reading(
        inputs=_names(told, "inputs"),
        optional=_names(told, "optional") or (),
        outputs=_names(told, "outputs"),
        fields=_names(told, "fields"),
        calls=None if calls is None else Calls(int(calls[0]), {str(k): str(where) for k, where in calls[1].items()}),
        targets=_names(told, "targets"),
        invokes=tuple(_invocation(*invoked) for invoked in getattr(told, "invokes", ())),
        trains=None if trains is None else str(trains),
        reports=_names(told, "reports"),
        reads=tuple(_reads(getattr(told, "reads", ()))),
        hands=tuple(_handed(*handed) for handed in getattr(told, "hands", ())),
        references=tuple((str(where), str(key)) for where, key in getattr(told, "references", ())),
        problems=tuple(_finding(*problem) for problem in getattr(told, "problems", ())),
    )


def _names(told: Any, attribute: str) -> Names | None:
    names = getattr(told, attribute, None)
    return None if names is None else tuple(map(str, names))


def _handed(where: Any, key: Any, options: Iterable[Any]) -> Handed:
    return Handed(str(where), str(key), tuple(map(str, options)))


def _invocation(where: Any, component: Any, given: Mapping[str, str], offered: Mapping[str, str | None]) -> Invocation:
    return Invocation(str(where), None if component is None else str(component), dict(given), dict(offered))


def _finding(where: Any, code: Any, message: Any, suggestion: Any) -> Finding:
    return Finding(str(where), str(code), str(message), None if suggestion is None else str(suggestion))


def _reads(told: Iterable[tuple[str, str, Any]]) -> Iterable[Read]:
    """Yield what is read; a path that could not be one is the type check's to report."""
    for where, source, path in told:
        keys = parse_path(path) if isinstance(path, (str, list, tuple)) else ()
        if keys:
            yield Read(str(where), str(source), keys)
