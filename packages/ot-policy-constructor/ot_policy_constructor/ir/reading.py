"""What a reader hands back, and the collector of what it found wrong on the way."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from offline_trainer_core import join_path

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Finding(NamedTuple):
    """One thing that is wrong with a definition."""

    path: str
    """Where, relative to the definition."""
    code: str
    message: str
    suggestion: str | None = None


class Reading(NamedTuple):
    """What can be known of a model without building it."""

    inputs: tuple[str, ...] | None
    """The names that the model is called with; None where they cannot be told."""
    references: tuple[tuple[str, str], ...]
    """Component keys that the definition names outside of specs: where, and which."""
    problems: tuple[Finding, ...]
    outputs: tuple[str, ...] | None = None
    """The names of what the model returns, where that is a mapping."""
    hands: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Keyword arguments of operations: where they stand, the key of the operation, their names."""
    optional: tuple[str, ...] = ()
    """Those of the inputs that may be left out."""


class Findings:
    """Collects every problem, and what a problem explains so that it is not reported twice."""

    def __init__(self) -> None:
        self.items: list[Finding] = []
        self.excused: set[str] = set()
        """Values (`$h`) and modules (`module:trunk`) that take part in a problem already: they count as used."""

    def add(self, path: str, code: str, message: str, suggestion: str | None = None) -> None:
        """Report a problem."""
        self.items.append(Finding(path, code, message, suggestion))

    def excuse(self, name: str | None) -> None:
        """Report nothing further about `name`."""
        if name is not None:
            self.excused.add(name)

    def mapping(self, value: Any, path: str, what: str, keys: Sequence[str] | None = None) -> Mapping[str, Any]:
        """Return `value` if it is a mapping, else an empty one; report keys that are not among `keys`.

        What stands under a misspelled key is read on as if the key were right.
        """
        if not isinstance(value, Mapping):
            self.add(path, "wrong-type", f"{what} is a mapping, not {describe(value)}")
            return {}
        if keys is None:
            return value
        known = {key: item for key, item in value.items() if key in keys}
        for key in [key for key in value if key not in known]:
            meant = nearest(str(key), keys)
            message = f"'{key}' is not a key of {what}; there are {', '.join(keys)}"
            self.add(join_path(path, str(key)), "unknown-key", message, meant)
            if meant is not None:
                known.setdefault(meant, value[key])
        return known

    def sequence(self, value: Any, path: str, what: str) -> list[Any]:
        """Return `value` if it is a list, else an empty one."""
        if isinstance(value, (list, tuple)):
            return list(value)
        self.add(path, "wrong-type", f"{what} is a list, not {describe(value)}")
        return []

    def name(self, value: Any, path: str, what: str) -> str:
        """Return `value` as a name; report it if it cannot be one."""
        if not isinstance(value, str):
            self.add(path, "wrong-type", f"{what} is a name, not {describe(value)}")
        elif not NAME.fullmatch(value):
            hint = re.sub(r"[\s.-]+", "_", value.removeprefix("$"))
            rule = "names are letters, digits and _, and begin with no digit"
            self.add(path, "bad-name", f"'{value}' cannot be {what}: {rule}", hint if NAME.fullmatch(hint) else None)
        elif keyword.iskeyword(value) or value == "self":
            self.add(path, "bad-name", f"'{value}' cannot be {what}: it is a word of Python's own", f"{value}_")
        return str(value)


def describe(value: Any) -> str:
    """Return what kind of value this is, in the words of YAML."""
    match value:
        case None:
            return "null"
        case str():
            return f"the string '{value}'"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
    return f"a {type(value).__name__}"


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that was probably meant."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(choices), n=1)), None)
