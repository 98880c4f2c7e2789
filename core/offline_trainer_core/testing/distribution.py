"""The contract of a published package: what its metadata says is true."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import ClassVar

from offline_trainer_core.catalogue import (
    Entry,
    installed_commands,
    installed_plugins,
    installed_readers,
    installed_registry,
)
from offline_trainer_core.signature import class_attribute, read_signature
from offline_trainer_core.signature.live import signature_of
from offline_trainer_core.testing.contract import Contract

__all__ = ["DistributionContract"]


class DistributionContract(Contract):
    """Everything that a distribution advertises can be imported, is documented, and can be read without importing.

    An entry whose extra is not installed is passed over: test in an environment that has them all.
    """

    distribution: ClassVar[str] = ""
    """Name of the installed distribution."""
    package: ClassVar[str] = ""
    """Its import package, where that is not called like the distribution."""

    def entries(self) -> list[Entry]:
        """Return the components that the distribution advertises, and what each needs is there."""
        return [entry for entry in installed_registry().entries() if self._is_ready(entry)]

    def doors(self) -> list[Entry]:
        """Return the hook plugins, commands and readers that it advertises."""
        groups: list[Callable[[], list[Entry]]] = [installed_plugins, installed_commands, installed_readers]
        return [entry for group in groups for entry in group() if self._is_ready(entry)]

    def own(self) -> list[Entry]:
        """Return the components whose code the distribution itself brings."""
        package = self.package or self.distribution.replace("-", "_")
        return [entry for entry in self.entries() if entry.reference.partition(":")[0].split(".")[0] == package]

    def _is_ready(self, entry: Entry) -> bool:
        return entry.distribution == self.distribution and not entry.missing_extras()

    def test_something_is_advertised(self) -> None:
        assert self.entries() or self.doors(), f"no installed distribution '{self.distribution}' advertises anything"

    def test_every_target_can_be_imported(self) -> None:
        failures = {}
        for entry in [*self.entries(), *self.doors()]:
            try:
                entry.load()
            except Exception as error:
                failures[entry.key] = str(error)
        assert not failures

    def test_every_component_says_what_it_is_for(self) -> None:
        silent = [entry.key for entry in self.own() if not inspect.getdoc(entry.load())]
        assert not silent, f"without a docstring: {', '.join(silent)}"

    def test_every_signature_can_be_read_without_importing(self) -> None:
        dark = [entry.key for entry in self.own() if read_signature(entry.reference) is None]
        assert not dark, f"`ot check` cannot see the arguments of: {', '.join(dark)}"

    def test_what_is_declared_harmless_are_arguments(self) -> None:
        wrong = {}
        for entry in self.own():
            declared = class_attribute(entry.reference, "harmless") or ()
            unknown = set() if declared is True else {*declared} - {*signature_of(entry.load()).names}
            if unknown or declared != (getattr(entry.load(), "harmless", None) or ()):
                wrong[entry.key] = unknown or "`harmless` is not the same at run time"
        assert not wrong

    def test_signatures_read_from_source_are_those_at_run_time(self) -> None:
        differing = {}
        for entry in self.own():
            static = read_signature(entry.reference)
            if static is None:
                continue
            live = signature_of(entry.load())
            names = [[(p.name, p.has_default) for p in each.parameters] for each in (static, live)]
            if names[0] != names[1]:
                differing[entry.key] = names
        assert not differing
