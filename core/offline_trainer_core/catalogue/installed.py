"""What the installed distributions advertise, narrowed to those that are allowed."""

from __future__ import annotations

import os
from collections.abc import Iterable

from offline_trainer_core.catalogue.entry import Entry
from offline_trainer_core.catalogue.metadata import COMMANDS, COMPONENTS, PLUGINS, READERS, RENAMES, SCHEMAS, Scan, scan
from offline_trainer_core.catalogue.registry import Registry
from offline_trainer_core.installed import normalized

__all__ = ["installed_commands", "installed_plugins", "installed_readers", "installed_registry"]


def installed_registry(allowed_distributions: Iterable[str] | None = None) -> Registry:
    """Return the components, hook plugins and readers of the installed distributions, from metadata alone.

    Only `allowed_distributions` count where they are given, and only those in the comma-separated environment variable
    `OT_ALLOWED_DISTRIBUTIONS` where it is set; with `OT_DISABLE_PLUGINS=1` none do.
    """
    allowed = _allowed(allowed_distributions)
    found, notes = _scan_allowed(allowed)
    return Registry(
        found.entries[COMPONENTS],
        broken=found.broken,
        plugins=found.entries[PLUGINS],
        readers=found.entries[READERS],
        renames=found.entries[RENAMES],
        schemas=found.entries[SCHEMAS],
        notes=notes,
    )


def installed_plugins() -> list[Entry]:
    """Return the hook plugins that are advertised under `offline_trainer.plugins`."""
    return _scan_allowed(_allowed(None))[0].entries[PLUGINS]


def installed_commands() -> list[Entry]:
    """Return the subcommands of `ot` that are advertised under `offline_trainer.commands`."""
    return _scan_allowed(_allowed(None))[0].entries[COMMANDS]


def installed_readers() -> list[Entry]:
    """Return the static readers of frontends that are advertised under `offline_trainer.readers`."""
    return _scan_allowed(_allowed(None))[0].entries[READERS]


def _allowed(names: Iterable[str] | None) -> frozenset[str] | None:
    """Return the normalized names of the distributions that may count; None if all may."""
    listed = os.environ.get("OT_ALLOWED_DISTRIBUTIONS")
    choices = [names, listed.split(",") if listed is not None else None]
    sets = [frozenset(normalized(name.strip()) for name in choice) for choice in choices if choice is not None]
    return frozenset.intersection(*sets) if sets else None


def _scan_allowed(allowed: frozenset[str] | None) -> tuple[Scan, tuple[str, ...]]:
    """Return what is found and allowed, and notes that say what was left out."""
    if os.environ.get("OT_DISABLE_PLUGINS", "0") not in ("", "0"):
        return Scan(), ("OT_DISABLE_PLUGINS is set: no installed component is looked at",)
    found = scan()
    if allowed is None:
        return found, ()
    left_out = {entry.distribution for entries in found.entries.values() for entry in entries} - allowed
    for entries in found.entries.values():
        entries[:] = [entry for entry in entries if entry.distribution in allowed]
    note = f"not among the allowed distributions: {', '.join(sorted(left_out))}"
    return found, (note,) if left_out else ()
