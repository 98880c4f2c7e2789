"""An entry: one component as its distribution advertises it, and the only place where it is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from importlib import import_module
from typing import Any, Literal

from offline_trainer_core.catalogue.requirements import core_refusal, missing_of_extras, provider_of
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.spelling import nearest

__all__ = ["Entry", "SignaturePolicy"]

SignaturePolicy = Literal["strict", "best_effort"]


@dataclass(frozen=True)
class Entry:
    """One component: its key, where its code is, and which distribution brings it.

    `origin` is `installed` (entry points), `local` (read from the source of a module under `imports`), `registered`
    (given to `Registry.register_module`) or `target` (a `_target_` in the configuration).
    """

    key: str
    reference: str
    """`module:attribute`."""
    distribution: str = "local"
    version: str = ""
    signature_policy: SignaturePolicy = "strict"
    tags: tuple[str, ...] = ()
    origin: Literal["installed", "local", "registered", "target"] = "installed"
    extras: tuple[str, ...] = ()
    """Extras of the distribution that this component needs: the `[wandb]` in `module:Wandb [wandb]`."""
    requires: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """What the distribution needs, as its metadata spells it."""
    live: Any = field(default=None, compare=False, repr=False)
    """The object itself, where it was registered as one."""

    @property
    def kind(self) -> str:
        """The text before the first dot of the key."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """The text after the first dot of the key."""
        return self.key.partition(".")[2]

    @property
    def label(self) -> str:
        """The distribution and its version, as messages name them."""
        return f"{self.distribution} {self.version}".strip() if self.origin == "installed" else "local code"

    @property
    def target(self) -> Any:
        """The object that the entry stands for; imports it."""
        return self.load()

    def refusal(self) -> str | None:
        """Return why the entry cannot be used with the installed core, or None. Imports nothing."""
        return core_refusal(self.distribution, self.requires) if self.origin == "installed" else None

    def missing_extras(self) -> list[str]:
        """Return the requirements of the entry's extras that are not installed. Imports nothing."""
        return missing_of_extras(self.requires, self.extras) if self.extras else []

    @property
    def extras_command(self) -> str:
        """The command that installs what the entry's extras need."""
        return f"pip install '{self.distribution}[{','.join(self.extras)}]'"

    def load(self) -> Any:
        """Import and return the target.

        Raises `ComponentError` that names the key, distribution, version, target and cause, and how to mend it.
        """
        if self.live is not None:
            return self.live
        refusal = self.refusal()
        if refusal is not None:
            raise ComponentError(f"{self.key} of {self.label} cannot be used: {refusal}")
        module_name, _, attribute = self.reference.partition(":")
        try:
            module = import_module(module_name)
        except (Exception, SystemExit) as error:
            raise ComponentError(self._import_failure(error)) from error
        try:
            return reduce(getattr, attribute.split("."), module)
        except AttributeError as error:
            raise ComponentError(self._missing_attribute(attribute, dir(module))) from error

    def _import_failure(self, error: BaseException) -> str:
        cause = str(error) or type(error).__name__
        return f"{self._failed}: {cause}\n  to mend it: {self._mending(error)}"

    def _missing_attribute(self, attribute: str, names: list[str]) -> str:
        meant = nearest(attribute, names)
        hint = f" (it has '{meant}')" if meant else ""
        return f"{self._failed}: its module has no '{attribute}'{hint}\n  to mend it: {self._update_command}"

    @property
    def _failed(self) -> str:
        return f"{self.key} of {self.label} ({self.reference}) cannot be imported"

    @property
    def _update_command(self) -> str:
        if self.origin != "installed":
            return f"mend the module {self.reference.partition(':')[0]}"
        return f"pip install --upgrade {self.distribution}, or tell its authors"

    def _mending(self, error: BaseException) -> str:
        """Return the command that mends `error`: a missing module is installed, a broken one is updated."""
        if not isinstance(error, ModuleNotFoundError) or not error.name:
            return self._update_command
        missing = error.name.partition(".")[0]
        if missing == self.reference.partition(".")[0].partition(":")[0]:
            return self._reinstall_command
        if self.missing_extras():
            return self.extras_command
        return f"pip install '{provider_of(missing, self.distribution, self.requires)}'"

    @property
    def _reinstall_command(self) -> str:
        if self.origin != "installed":
            return self._update_command
        return f"pip install --force-reinstall --no-deps '{self.distribution}=={self.version}'"
