"""What the entry points of installed distributions advertise; what cannot be read is recorded, never swallowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from offline_trainer_core.catalogue.entry import Entry
from offline_trainer_core.installed import Advertiser, BrokenDistribution, advertisers, normalized

__all__ = ["COMMANDS", "COMPONENTS", "PLUGINS", "READERS", "RENAMES", "SCHEMAS", "Scan", "scan"]

COMPONENTS = "offline_trainer.components"
READERS = "offline_trainer.readers"
PLUGINS = "offline_trainer.plugins"
COMMANDS = "offline_trainer.commands"
RENAMES = "offline_trainer.renames"
SCHEMAS = "offline_trainer.schemas"
GROUPS = (COMPONENTS, READERS, PLUGINS, COMMANDS, RENAMES, SCHEMAS)

NEEDS_KIND = (COMPONENTS, READERS, SCHEMAS)
VALUE = re.compile(r"(?P<reference>\w+(\.\w+)*\s*:\s*\w+(\.\w+)*)\s*(\[(?P<extras>[^\]]*)\])?")
KEY = re.compile(r"[^\s@.]+(\.[^\s@.]+)+")
NAME = re.compile(r"[^\s@]+")


@dataclass
class Scan:
    """What one look at the installed distributions found."""

    entries: dict[str, list[Entry]] = field(default_factory=lambda: {group: [] for group in GROUPS})
    broken: list[BrokenDistribution] = field(default_factory=list)


def scan() -> Scan:
    """Return every entry of our groups, sorted by key and distribution."""
    found = Scan()
    advertising, found.broken = advertisers()
    for advertiser in advertising:
        _collect(found, advertiser)
    for entries in found.entries.values():
        entries.sort(key=lambda entry: (entry.key, entry.distribution))
    found.broken.sort()
    return found


def _collect(found: Scan, advertiser: Advertiser) -> None:
    distribution = normalized(advertiser.name)
    seen: set[tuple[str, str]] = set()
    for group, line in _lines(advertiser.entry_points):
        entry = _parse(group, line, advertiser)
        if isinstance(entry, str):
            found.broken.append(BrokenDistribution(distribution, f"[{group}] {line!r}: {entry}"))
        elif (group, entry.key) in seen:
            found.broken.append(BrokenDistribution(distribution, f"[{group}] {line!r}: this key stands there twice"))
        else:
            seen.add((group, entry.key))
            found.entries[group].append(entry)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield (group, line) for the lines of our groups."""
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and not line.startswith(("#", ";")) and group in GROUPS:
            yield group, line


def _parse(group: str, line: str, advertiser: Advertiser) -> Entry | str:
    """Return the entry of a line `key = module:attribute [extras]`, or what is wrong with it."""
    key, equals, value = (part.strip() for part in line.partition("="))
    match = VALUE.fullmatch(value)
    if not equals or match is None:
        return "not of the form `key = module:attribute`"
    if group in NEEDS_KIND and not KEY.fullmatch(key):
        return "the key must be `<kind>.<name>`"
    if not NAME.fullmatch(key):
        return "a name has no spaces and no '@'"
    extras = tuple(extra.strip() for extra in (match["extras"] or "").split(",") if extra.strip())
    return Entry(
        key,
        re.sub(r"\s", "", match["reference"]),
        normalized(advertiser.name),
        advertiser.version,
        extras=extras,
        requires=advertiser.requires,
    )
