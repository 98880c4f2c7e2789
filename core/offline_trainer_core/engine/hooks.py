"""Who listens to a run: callbacks and hook plugins, registered with pluggy, compiled to bound calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from offline_trainer_core import hookspecs
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.spelling import did_you_mean

__all__ = ["Hooks"]

Call = Callable[..., Any]

SPECS: dict[str, frozenset[str]] = {
    name: frozenset(inspect.signature(function).parameters)
    for name, function in vars(hookspecs).items()
    if hasattr(function, f"{hookspecs.PROJECT}_spec")
}
FIRST_RESULT = frozenset(
    name for name in SPECS if getattr(vars(hookspecs)[name], f"{hookspecs.PROJECT}_spec")["firstresult"]
)


class _Manager(pluggy.PluginManager):
    """Takes every method that is named like a hook as an implementation of it, marked or not."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        if name not in SPECS:
            return None
        marked = super().parse_hookimpl_opts(plugin, name)
        return (
            marked
            if marked is not None
            else pluggy.HookimplOpts(
                wrapper=False, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False, specname=None
            )
        )


class Hooks:
    """The listeners of one run. `hooks.<name>` is None where nobody listens, else one call with keyword arguments.

    Listeners are called in the order in which they are listed; `tryfirst`, `trylast`, wrappers and first results are
    pluggy's.
    """

    def __init__(self, listeners: Mapping[str, object]) -> None:
        """`listeners` maps names to objects. Raises `ComponentError` for unknown `on_*` methods and arguments."""
        manager = _Manager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        for name, listener in reversed(dict(listeners).items()):
            _refuse_misspelled(name, listener)
            manager.register(listener, name)
        for name in SPECS:
            setattr(self, name, _compile(getattr(manager.hook, name), name))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Call | None: ...

    def fire(self, name: str, **arguments: Any) -> Any:
        """Call the listeners of `name`, if there are any."""
        call = getattr(self, name)
        return call(**arguments) if call is not None else None


def _compile(caller: pluggy.HookCaller, name: str) -> Call | None:
    implementations = list(reversed(caller.get_hookimpls()))
    if not implementations:
        return None
    if any(impl.wrapper or impl.hookwrapper for impl in implementations):
        return _combine_results(caller, name)
    calls = tuple((impl.function, tuple(impl.argnames)) for impl in implementations)
    if name in FIRST_RESULT:
        return _first_result(calls)
    if name in DATA_HOOKS:
        return _chain(calls, DATA_HOOKS[name])
    if name.endswith("_log"):
        return _merge(calls)
    return _all(calls)


DATA_HOOKS = {"batch_process": "batch", "process_optim_batch": "batch", "post_loss": "loss"}
"""Data hooks and the argument that each listener hands on to the next."""

Calls = tuple[tuple[Call, tuple[str, ...]], ...]


def _all(calls: Calls) -> Call:
    def call(**arguments: Any) -> None:
        for function, names in calls:
            function(*[arguments[name] for name in names])

    return call


def _chain(calls: Calls, handed_on: str) -> Call:
    def call(**arguments: Any) -> Any:
        for function, names in calls:
            result = function(*[arguments[name] for name in names])
            if result is not None:
                arguments[handed_on] = result
        return arguments[handed_on]

    return call


def _merge(calls: Calls) -> Call:
    def call(**arguments: Any) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for function, names in calls:
            merged.update(function(*[arguments[name] for name in names]) or {})
        return merged

    return call


def _first_result(calls: Calls) -> Call:
    def call(**arguments: Any) -> Any:
        for function, names in calls:
            result = function(*[arguments[name] for name in names])
            if result is not None:
                return result
        return None

    return call


def _combine_results(caller: pluggy.HookCaller, name: str) -> Call:
    """Call through pluggy, which knows wrappers, and combine what it returns as the compiled calls do."""

    def call(**arguments: Any) -> Any:
        results = caller(**arguments)
        if name in FIRST_RESULT:
            return results
        if name in DATA_HOOKS:
            return results[-1] if results else arguments[DATA_HOOKS[name]]
        if name.endswith("_log"):
            return {key: value for result in results for key, value in (result or {}).items()}
        return None

    return call


def _refuse_misspelled(owner: str, listener: object) -> None:
    for name in dir(type(listener)):
        if name in SPECS:
            method = getattr(listener, name)
            unknown = [p for p in inspect.signature(method).parameters if p not in SPECS[name]]
            if unknown:
                offered = ", ".join(sorted(SPECS[name]))
                raise ComponentError(f"{owner}: hook '{name}' has no argument {unknown[0]!r}; it offers: {offered}")
        elif name.startswith("on_"):
            hint = did_you_mean(name, SPECS) or f"; the hooks are: {', '.join(SPECS)}"
            raise ComponentError(f"{owner}: '{name}' is not a hook{hint}")
