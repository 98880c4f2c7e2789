"""Model components as an imitation algorithm calls them: the context once, then the network that predicts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import nn

from offline_trainer_core import ComponentError
from offline_trainer_core.spelling import did_you_mean
from ot_imitation.context import Context, entry_of
from ot_imitation.mistakes import find_mistakes

__all__ = ["Networks", "Role"]

Modules = Mapping[str, nn.Module]


class Role(NamedTuple):
    """A part that a model component plays in an algorithm, beside those that only make context."""

    component: str | None
    """Its name; None for the only one that there is."""
    needs: tuple[str, ...] = ()
    """Arguments that the algorithm gives it, and that its `forward` must take."""
    offers: tuple[str, ...] = ()
    """Arguments that it is given if its `forward` takes them."""


class Taker(NamedTuple):
    """A component that plays a role."""

    name: str
    takes: frozenset[str] | None
    """What it is handed, by name; None for everything."""
    required: tuple[str, ...]
    """What it cannot be called without."""


class Networks:
    """Calls the components of a run by role, each with what the signature of its `forward` names.

    A frozen component costs no memory for gradients: autograd records nothing where neither weights nor inputs want
    any, and passes gradients through to a trained component before it where there is one.
    """

    def __init__(self, key: str, context: Mapping[str, Any] | None, **roles: Role) -> None:
        """`key` names the algorithm in messages. Without a `context`, the fields of the batch that the signatures name
        are taken. Raises `ComponentError` for a context that is wrong in itself.
        """
        mistakes = find_mistakes(context) if context is not None else []
        if mistakes:
            raise ComponentError("; ".join(f"{key}: {where}: {message}" for where, _, message, _ in mistakes))
        self._key, self._roles = key, roles
        self._context = None if context is None else Context(context)

    def bind(self, modules: Modules) -> None:
        """Find the components among `modules`, without wrappers.

        Raises `ComponentError` where one is missing, asks for what nobody gives, or an entry would be handed to nobody.
        """
        self._takers = {role: self._find(role, modules) for role in self._roles}
        self.context = self._context or self._fields_by_name()
        for _, call in self.context.calls():
            self._require(call.model, "context", modules)
        for role, taker in self._takers.items():
            self._check_arguments(role, taker)
        self._check_use()

    def condition(self, models: Modules, batch: Any) -> dict[str, Any]:
        """Return the context of a batch, with `models` as components; raises `DataError` where a field is missing."""
        return self.context.compute(self._key, batch, lambda model, **inputs: models[model](**inputs))

    def call(self, models: Modules, role: str, context: Mapping[str, Any], **given: Any) -> Any:
        """Return what the component of `role` makes of the context and of what the algorithm gives it."""
        taker = self._takers[role]
        offered = {**context, **given}
        handed = offered if taker.takes is None else {n: v for n, v in offered.items() if n in taker.takes}
        return models[taker.name](**handed)

    def module(self, modules: Modules, role: str) -> nn.Module:
        """Return the component of `role`."""
        return modules[self._takers[role].name]

    def _find(self, role: str, modules: Modules) -> Taker:
        name = self._roles[role].component
        if name is None and len(modules) == 1:
            name = next(iter(modules))
        if name is None:
            raise ComponentError(f"{self._key}: say which model component is the '{role}': {', '.join(modules)}")
        self._require(name, role, modules)
        parameters = inspect.signature(modules[name].forward).parameters.values()
        takes = None if any(p.kind is p.VAR_KEYWORD for p in parameters) else frozenset(p.name for p in parameters)
        by_name = (p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
        return Taker(name, takes, tuple(p.name for p in by_name if p.default is p.empty))

    def _require(self, name: str, where: str, modules: Modules) -> None:
        if name not in modules:
            raise ComponentError(
                f"{self._key}: {where} names the model component '{name}', and there are: {', '.join(modules)}"
                f"{did_you_mean(name, modules)}"
            )

    def _fields_by_name(self) -> Context:
        names = {name for taker in self._takers.values() for name in taker.required}
        given = {name for role in self._roles.values() for name in (*role.needs, *role.offers)}
        return Context({name: name for name in sorted(names - given)})

    def _check_arguments(self, role: str, taker: Taker) -> None:
        needs, offers = self._roles[role].needs, self._roles[role].offers
        for name in needs:
            if taker.takes is not None and name not in taker.takes:
                raise ComponentError(
                    f"{self._key} calls its {role} with {' and '.join(map(repr, needs))}, and the forward of "
                    f"'{taker.name}' takes no '{name}', but {', '.join(sorted(taker.takes)) or 'nothing'}"
                )
        entries = self.context.entries
        for name in taker.required:
            if name not in (*needs, *offers, *entries):
                raise ComponentError(
                    f"{self._key}: the forward of '{taker.name}' asks for '{name}', and the context gives: "
                    f"{', '.join(entries) or 'nothing'}{did_you_mean(name, entries)}"
                )

    def _check_use(self) -> None:
        used = {entry_of(source) for _, source in self.context.sources()}
        for name in self.context.entries:
            if name not in used and not any(t.takes is None or name in t.takes for t in self._takers.values()):
                takers = "; ".join(
                    f"'{t.name}' takes {', '.join(sorted(t.takes or ()))}" for t in self._takers.values()
                )
                raise ComponentError(
                    f"{self._key}: context.{name} is handed to nobody: {takers}, and no later entry refers to ${name}"
                )
