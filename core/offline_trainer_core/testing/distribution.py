"""The contract of a published package: what its metadata says is true."""

from __future__ import annotations

import inspect
from typing import ClassVar

from offline_trainer_core.catalogue import Entry, installed_registry
from offline_trainer_core.signature import read_signature, signature_of
from offline_trainer_core.testing.contract import Contract

__all__ = ["DistributionContract"]


class DistributionContract(Contract):
    """Every component that a distribution advertises can be imported, is documented, and can be read without importing."""

    distribution: ClassVar[str] = ""
    """Name of the installed distribution."""

    def entries(self) -> list[Entry]:
        """Return what the distribution advertises."""
        return [entry for entry in installed_registry().entries() if entry.distribution == self.distribution]

    def own(self) -> list[Entry]:
        """Return the entries whose code the distribution itself brings."""
        prefix = self.distribution.replace("-", "_")
        return [entry for entry in self.entries() if entry.reference.startswith(prefix)]

    def test_something_is_advertised(self) -> None:
        assert self.entries()

    def test_every_target_can_be_imported(self) -> None:
        failures = {}
        for entry in self.entries():
            if entry.missing_extras():
                continue
            try:
                entry.load()
            except Exception as error:
                failures[entry.key] = str(error)
        assert not failures

    def test_every_component_says_what_it_is_for(self) -> None:
        silent = [entry.key for entry in self.own() if not entry.missing_extras() and not inspect.getdoc(entry.load())]
        assert not silent

    def test_signatures_read_from_source_are_those_at_run_time(self) -> None:
        differing = {}
        for entry in self.own():
            static = read_signature(entry.reference)
            if static is None or entry.missing_extras():
                continue
            live = signature_of(entry.load())
            names = [[(p.name, p.has_default) for p in each.parameters] for each in (static, live)]
            if names[0] != names[1]:
                differing[entry.key] = names
        assert not differing
