"""What the installed distributions advertise, narrowed to those that are allowed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

from offline_trainer_core.catalogue.entry import Entry
from offline_trainer_core.catalogue.metadata import COMMANDS, COMPONENTS, PLUGINS, READERS, RENAMES, SCHEMAS, Scan, scan
from offline_trainer_core.catalogue.registry import LeftOut, Registry
from offline_trainer_core.installed import normalized

__all__ = ["installed_commands", "installed_plugins", "installed_readers", "installed_registry"]


def installed_registry(allowed_distributions: Iterable[str] | None = None) -> Registry:
    """Return the components, hook plugins and readers of the installed distributions, from metadata alone.

    Only `allowed_distributions` count where they are given, and only those in the comma-separated environment variable
    `OT_ALLOWED_DISTRIBUTIONS` where it is set; with `OT_DISABLE_PLUGINS=1` none do.
    """
    found, left_out, notes = _scan_allowed(allowed_distributions)
    return Registry(
        found.entries[COMPONENTS],
        left_out=left_out[COMPONENTS],
        left_out_plugins=left_out[PLUGINS],
        broken=found.broken,
        plugins=found.entries[PLUGINS],
        readers=found.entries[READERS],
        renames=found.entries[RENAMES],
        schemas=found.entries[SCHEMAS],
        notes=notes,
    )


def installed_plugins() -> list[Entry]:
    """Return the hook plugins that are advertised under `offline_trainer.plugins`."""
    return _scan_allowed()[0].entries[PLUGINS]


def installed_commands() -> list[Entry]:
    """Return the subcommands of `ot` that are advertised under `offline_trainer.commands`."""
    return _scan_allowed()[0].entries[COMMANDS]


def installed_readers() -> list[Entry]:
    """Return the static readers of frontends that are advertised under `offline_trainer.readers`."""
    return _scan_allowed()[0].entries[READERS]


def _scan_allowed(names: Iterable[str] | None = None) -> tuple[Scan, dict[str, list[LeftOut]], tuple[str, ...]]:
    """Return what is found and allowed, by group what is not, and notes that say what was left out."""
    if os.environ.get("OT_DISABLE_PLUGINS", "0") not in ("", "0"):
        return Scan(), defaultdict(list), ("OT_DISABLE_PLUGINS is set: no installed component is looked at",)
    found, lists = scan(), _lists(names)
    everyone = {entry.distribution for entries in found.entries.values() for entry in entries}
    forbidding = {
        name: tuple(setting for setting, allowed in lists.items() if name not in allowed) for name in everyone
    }
    left_out = {
        group: [LeftOut(entry, forbidding[entry.distribution]) for entry in entries if forbidding[entry.distribution]]
        for group, entries in found.entries.items()
    }
    for entries in found.entries.values():
        entries[:] = [entry for entry in entries if not forbidding[entry.distribution]]
    forbidden = ", ".join(sorted(name for name, settings in forbidding.items() if settings))
    return found, left_out, (f"not among the allowed distributions: {forbidden}",) if forbidden else ()


def _lists(names: Iterable[str] | None) -> dict[str, frozenset[str]]:
    """Return the lists of distributions that may count, normalized, by the setting that holds each."""
    listed = os.environ.get("OT_ALLOWED_DISTRIBUTIONS")
    lists = {
        "settings.allowed_distributions": names,
        "OT_ALLOWED_DISTRIBUTIONS": listed.split(",") if listed is not None else None,
    }
    return {
        setting: frozenset(normalized(name.strip()) for name in allowed)
        for setting, allowed in lists.items()
        if allowed is not None
    }
