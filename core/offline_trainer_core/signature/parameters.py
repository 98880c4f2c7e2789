"""A signature as data, and how given arguments fit it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

__all__ = ["Fit", "Kind", "Parameter", "Signature", "default_value", "missing_and_unknown"]

Kind = Literal["positional_only", "positional", "keyword", "var_positional", "var_keyword"]


class Parameter(NamedTuple):
    """One parameter. `default` and `annotation` are source text, empty where there is none."""

    name: str
    kind: Kind = "positional"
    has_default: bool = False
    default: str = ""
    annotation: str = ""
    module: str = ""
    """The module in which the annotation was written: what its names mean."""

    def __str__(self) -> str:
        stars = {"var_positional": "*", "var_keyword": "**"}.get(self.kind, "")
        return f"{stars}{self.name}={self.default}" if self.has_default else f"{stars}{self.name}"


class Signature(NamedTuple):
    """What a component takes, without `self`; where it is written, and its docstring."""

    parameters: tuple[Parameter, ...] = ()
    doc: str = ""
    file: str | None = None
    line: int | None = None
    inherited_docs: tuple[str, ...] = ()
    """Docstrings of the bases that say what it takes, nearest first."""

    def text(self, key: str) -> str:
        """Return the call as one line: `model.mlp(dims, hidden=256)`."""
        return f"{key}({', '.join(str(parameter) for parameter in self.parameters)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that may be given as a keyword."""
        return tuple(p.name for p in self.parameters if p.kind in ("positional", "keyword"))

    @property
    def required(self) -> tuple[str, ...]:
        """The names that must be given, by keyword or by position."""
        return tuple(p.name for p in self.parameters if not p.has_default and not p.kind.startswith("var_"))

    @property
    def accepts_any(self) -> bool:
        """Whether any keyword is taken (`**kwargs`)."""
        return any(p.kind == "var_keyword" for p in self.parameters)

    @property
    def positional(self) -> tuple[Parameter, ...]:
        """The parameters that may be given by position, in order."""
        return tuple(p for p in self.parameters if p.kind in ("positional_only", "positional"))

    def find(self, name: str) -> Parameter | None:
        """Return the parameter that the keyword `name` sets, or None."""
        return next((p for p in self.parameters if p.name == name and p.kind in ("positional", "keyword")), None)

    def without_first(self) -> Signature:
        """Return the signature with its first positional parameter already given."""
        first = self.positional[:1]
        return self._replace(parameters=tuple(p for p in self.parameters if p not in first))


@lru_cache(maxsize=4096)
def default_value(default: str) -> Any:
    """Return the plain value that the source text of a default spells, or `...` where it spells none.

    What is returned is shared: not to be changed.
    """
    try:
        return ast.literal_eval(default) if default else ...
    except (SyntaxError, ValueError):
        return ...


class Fit(NamedTuple):
    """How arguments fit a signature; everything is empty where they do."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    twice: tuple[str, ...]
    """Given by position and by keyword."""
    surplus: int
    """Positional arguments too many."""


def missing_and_unknown(signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any] | Collection[str]) -> Fit:
    """Return which parameters are missing, and which arguments are unknown, given twice, or too many."""
    positional = signature.positional
    by_position = {p.name for p in positional[: len(args)]}
    takes_more = any(p.kind == "var_positional" for p in signature.parameters)
    keywords = set(kwargs) & set(signature.names)
    return Fit(
        missing=tuple(name for name in signature.required if name not in by_position and name not in keywords),
        unknown=() if signature.accepts_any else tuple(name for name in kwargs if name not in signature.names),
        twice=tuple(name for name in kwargs if name in by_position and name in signature.names),
        surplus=0 if takes_more else max(0, len(args) - len(positional)),
    )
