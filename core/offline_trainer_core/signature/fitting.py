"""Whether a value fits an annotation, and if not, which part of it, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from offline_trainer_core.signature.annotations import read_type
from offline_trainer_core.signature.forms import INFERRED, TRUTH_WORDS, Choice, Form, Named, number_in
from offline_trainer_core.signature.parameters import default_value

__all__ = ["Misfit", "choices", "find_misfit", "named_components"]


class Misfit(NamedTuple):
    """Where in a value it stops fitting, what was expected there, and the YAML that was probably meant."""

    keys: tuple[str | int, ...]
    form: Form
    instead: str | None = None

    @property
    def expected(self) -> str:
        """The form as people read it."""
        return str(self.form)


def find_misfit(
    annotation: str,
    default: str,
    value: Any,
    *,
    module: str = "",
    folders: Iterable[str] = (),
    null_is_lazy: bool = False,
) -> Misfit | None:
    """Return the smallest part of `value` that does not fit, or None if all fits or that cannot be told.

    `annotation` and `default` are source text; `module` is where they were written. `value` is plain data, with specs
    in it as they stand. `null_is_lazy`: null stands for a dimension that is inferred later.
    """
    if not annotation:
        return _misfit_of_default(default, value)
    if _is_default(default, value):
        return None
    return _innermost(
        read_type(annotation, module=module, folders=folders), _inferred(value) if null_is_lazy else value
    )


def choices(annotation: str, *, module: str = "", folders: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the strings that an annotation with a `Literal` or an `Enum` allows, behind aliases and in unions too."""
    members = read_type(annotation, module=module, folders=folders).members() if annotation else ()
    return tuple(v for member in members for v in _choices(member) if isinstance(v, str))


def _choices(form: Form) -> tuple[Any, ...]:
    inner = form.inner if isinstance(form, Named) else form
    return inner.values if isinstance(inner, Choice) else ()


def named_components(form: Form, value: Any) -> list[tuple[tuple[str | int, ...], Named, str]]:
    """Return keys, form and text of every string in `value` that is the name of a component."""
    if isinstance(value, str):
        fitting = [m for m in form.members() if isinstance(m, Named) and m.admits(value)]
        return [((), fitting[0], value)] if fitting else []
    return [
        ((key, *keys), named, text)
        for member in form.members()
        for key, part, item in member.parts(value)
        for keys, named, text in named_components(part, item)
    ]


def _innermost(form: Form, value: Any, keys: tuple[str | int, ...] = ()) -> Misfit | None:
    """Return the part of `value` that is to blame, where only one alternative has its shape."""
    if form.fits(value) is not False:
        return None
    shaped = [parts for member in form.members() if (parts := member.parts(value))]
    for key, part, item in shaped[0] if len(shaped) == 1 else ():
        found = _innermost(part, item, (*keys, key))
        if found is not None:
            return found
    return Misfit(keys, form, form.instead(value))


def _inferred(value: Any) -> Any:
    if isinstance(value, list):
        return [_inferred(item) for item in value]
    return INFERRED if value is None else value


def _is_default(default: str, value: Any) -> bool:
    plain = default_value(default)
    return type(plain) is type(value) and bool(plain == value)


def _misfit_of_default(default: str, value: Any) -> Misfit | None:
    """Return the misfit of an unannotated parameter where the slip is certain: a number or truth value in quotes."""
    plain = default_value(default)
    if not isinstance(value, str) or plain is ... or plain is None:
        return None
    if isinstance(plain, bool):
        return Misfit((), Form("bool"), TRUTH_WORDS[value.lower()]) if value.lower() in TRUTH_WORDS else None
    number = isinstance(plain, (int, float)) and number_in(value) is not None
    return Misfit((), Form("number"), value) if number else None
