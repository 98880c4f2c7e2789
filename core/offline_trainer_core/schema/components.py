"""From what a component takes to the JSON Schema of the mapping that gives it: one definition for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.plan.sections import MODEL_OPTIONS, SECTIONS
from offline_trainer_core.schema.language import SPECIAL, all_of, one_of, reference
from offline_trainer_core.schema.values import default_of, value_schema
from offline_trainer_core.signature import Form, Named, Parameter, Signature, read_signature, read_type
from offline_trainer_core.signature.docstrings import argument_docs, first_sentence

__all__ = ["Component", "installed_components", "names_of"]

Schema = dict[str, Any]

MODULE_KINDS = SECTIONS["model"].kinds
"""Kinds whose null arguments are dimensions to be inferred, and which may stand as a component of `model`."""


class Component:
    """An installed component: its entry, what it takes, and the spellings that name it."""

    def __init__(self, entry: Entry, is_alone: bool) -> None:
        self.entry = entry
        self.signature: Signature | None = read_signature(entry.reference)
        exact = f"{entry.key}@{entry.distribution}"
        self.spellings = (entry.key, exact) if is_alone else (exact,)
        self.definition = entry.key if is_alone else exact

    @property
    def summary(self) -> str:
        """What it is for, and who brings it."""
        sentence = first_sentence(self.signature.doc) if self.signature else ""
        return f"{sentence} ({self.entry.label})".strip()

    @property
    def required(self) -> tuple[str, ...]:
        """The arguments that must be given."""
        return self.signature.required if self.signature else ()

    @property
    def named(self) -> list[tuple[str, Named]]:
        """The arguments that name another component, and what they name."""
        parameters = self.signature.parameters if self.signature else ()
        forms = ((p.name, form) for p in parameters for form in _form(p).members())
        return [(name, form) for name, form in forms if isinstance(form, Named)]

    def schema(self, by_kind: dict[str, list[Component]]) -> Schema:
        """Return the schema of the mapping that names this component and gives its arguments."""
        about: Schema = {"title": f"{self.entry.key} ({self.entry.label})", "description": self.summary}
        if self.signature is None:
            return about
        conditions = [c for name, form in self.named if form.kwargs for c in _of_class(name, form, by_kind)]
        return about | _arguments(self.signature, self.entry.kind) | all_of(conditions)

    def arguments_after_first(self) -> Schema:
        """Return the schema of the keyword arguments of a class whose first parameter is given by others."""
        return _arguments(self.signature.without_first(), self.entry.kind) if self.signature else {}


def installed_components(registry: Registry) -> list[Component]:
    """Return a component for every entry, by key; where two distributions offer one key, a name must say which."""
    return [Component(entry, len(registry.candidates(entry.key)) == 1) for entry in registry.entries()]


def names_of(components: Iterable[Component], prefix: str = "", instead: str = "") -> list[Schema]:
    """Return the names of components as alternatives that say what each is for; `instead` replaces the `prefix`."""
    return [
        {"const": f"{instead}{component.spellings[0].removeprefix(prefix)}", "description": component.summary}
        for component in components
    ]


def _arguments(signature: Signature, kind: str) -> Schema:
    """Return the schema of keyword arguments: all names, and none beside them unless the signature takes any."""
    docs = argument_docs(signature.doc)
    named = [p for p in signature.parameters if p.kind in ("positional", "keyword")]
    lazy = kind in MODULE_KINDS
    found: Schema = {"properties": {p.name: _argument(p, docs.get(p.name, ""), lazy) for p in named}}
    if not signature.accepts_any:
        reserved = "_(type|args|kwargs|template)_"
        options = f"|{'|'.join(MODEL_OPTIONS)}" if lazy else ""
        found |= {"patternProperties": {f"^({reserved}{options})$": True}, "additionalProperties": False}
    return found


def _argument(parameter: Parameter, doc: str, null_is_lazy: bool) -> Schema:
    taken = f": {_form(parameter)}" if parameter.annotation else ""
    default = f" = {parameter.default}" if parameter.has_default else ""
    found: Schema = {"description": doc} if doc else {}
    found["markdownDescription"] = f"`{parameter.name}{taken}{default}`" + (f"\n\n{doc}" if doc else "")
    for value in default_of(parameter):
        found["default"] = value
    return found | value_schema(parameter, null_is_lazy=null_is_lazy)


def _of_class(name: str, form: Named, by_kind: dict[str, list[Component]]) -> Iterator[Schema]:
    """Yield the conditions under which `form.kwargs` holds the arguments of the class that `name` names."""
    for component in by_kind.get(form.kind, ()):
        bare = [spelling.removeprefix(f"{form.kind}.") for spelling in component.spellings]
        chosen = {"properties": {name: one_of([*bare, *component.spellings])}, "required": [name]}
        taken = {"if": reference(SPECIAL), "else": reference(f"class.{component.definition}")}
        yield {"if": chosen, "then": {"properties": {form.kwargs: taken}}}


def _form(parameter: Parameter) -> Form:
    return read_type(parameter.annotation, module=parameter.module)
