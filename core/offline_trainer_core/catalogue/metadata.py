"""Reads `entry_points.txt` of every installed distribution; what cannot be read is recorded, never swallowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from offline_trainer_core.catalogue.entry import Entry
from offline_trainer_core.catalogue.requirements import normalized

if TYPE_CHECKING:
    from importlib_metadata import Distribution

__all__ = ["COMMANDS", "COMPONENTS", "PLUGINS", "READERS", "RENAMES", "BrokenDistribution", "Scan", "scan"]

COMPONENTS = "offline_trainer.components"
READERS = "offline_trainer.readers"
PLUGINS = "offline_trainer.plugins"
COMMANDS = "offline_trainer.commands"
RENAMES = "offline_trainer.renames"
GROUPS = (COMPONENTS, READERS, PLUGINS, COMMANDS, RENAMES)

NEEDS_KIND = (COMPONENTS, READERS)
VALUE = re.compile(r"(?P<reference>\w+(\.\w+)*\s*:\s*\w+(\.\w+)*)\s*(\[(?P<extras>[^\]]*)\])?")
KEY = re.compile(r"[^\s@.]+(\.[^\s@.]+)+")
NAME = re.compile(r"[^\s@]+")


class BrokenDistribution(NamedTuple):
    """A distribution whose advertisements cannot all be read, and why."""

    name: str
    reason: str


@dataclass
class Scan:
    """What one look at the installed distributions found."""

    entries: dict[str, list[Entry]] = field(default_factory=lambda: {group: [] for group in GROUPS})
    broken: list[BrokenDistribution] = field(default_factory=list)


def scan() -> Scan:
    """Return every entry of our groups, sorted by key and distribution.

    Of one distribution found twice, the first on the path counts, as it does for imports.
    """
    from importlib_metadata import Distribution

    found = Scan()
    advertisers: list[tuple[Distribution, str]] = []
    for distribution in Distribution.discover():
        text, trouble = _read(distribution)
        if trouble:
            found.broken.append(BrokenDistribution(_folder(distribution), trouble))
        elif "offline_trainer." in text:  # nothing more is read of the many others
            advertisers.append((distribution, text))
    for name, version, text in _first_on_path(advertisers, found.broken):
        _collect(found, normalized(name), version, text)
    for entries in found.entries.values():
        entries.sort(key=lambda entry: (entry.key, entry.distribution))
    found.broken.sort()
    return found


def _read(distribution: Distribution) -> tuple[str, str | None]:
    """Return the text of `entry_points.txt`, and why it cannot be read."""
    try:
        text = distribution.read_text("entry_points.txt")
    except (OSError, ValueError) as error:
        return "", f"entry_points.txt cannot be read: {error}"
    if text is None and _is_there_but_unreadable(distribution):
        return "", "entry_points.txt cannot be read: no permission, or not a file"
    return text or "", None


def _is_there_but_unreadable(distribution: Distribution) -> bool:
    """Whether the file is there after all: `read_text` returns None where permission is missing as well."""
    folder = getattr(distribution, "_path", None)
    try:
        return isinstance(folder, Path) and (folder / "entry_points.txt").exists()
    except OSError:
        return True


def _folder(distribution: Distribution) -> str:
    """Return a name for a distribution whose metadata may be damaged."""
    folder = getattr(distribution, "_path", None)
    return Path(str(folder)).name if folder is not None else str(distribution)


def _identity(distribution: Distribution) -> tuple[str, str] | None:
    """Return name and version, or None where the metadata does not tell."""
    try:
        name, version = distribution.metadata.get("Name"), distribution.metadata.get("Version")
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return (str(name), str(version)) if name and version else None


def _first_on_path(
    advertisers: Iterable[tuple[Distribution, str]], broken: list[BrokenDistribution]
) -> list[tuple[str, str, str]]:
    """Return (name, version, text) of those that an import would meet first."""
    first: dict[str, tuple[str, str, str, str]] = {}
    for distribution, text in advertisers:
        identity = _identity(distribution)
        if identity is None:
            broken.append(BrokenDistribution(_folder(distribution), "METADATA has no name and version"))
            continue
        name, version = identity
        place = str(distribution.locate_file(""))
        known = first.get(normalized(name))
        if known is not None and known[0] == place:
            broken.append(BrokenDistribution(name, f"versions {known[2]} and {version} both lie in {place}"))
        if _stands_first(name, place) and (known is None or _is_newer(version, known[2])):
            first[normalized(name)] = (place, name, version, text)
    return [(name, version, text) for _, name, version, text in first.values()]


def _stands_first(name: str, place: str) -> bool:
    """Whether no distribution of this name, without entries of ours, stands before `place` on the path."""
    from importlib_metadata import PackageNotFoundError, distribution

    try:
        return str(distribution(name).locate_file("")) == place
    except (PackageNotFoundError, ValueError):
        return True  # its folder is called otherwise


def _is_newer(version: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return version > other


def _collect(found: Scan, distribution: str, version: str, text: str) -> None:
    seen: set[tuple[str, str]] = set()
    for group, line in _lines(text):
        entry = _parse(group, line, distribution, version)
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


def _parse(group: str, line: str, distribution: str, version: str) -> Entry | str:
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
    return Entry(key, re.sub(r"\s", "", match["reference"]), distribution, version, extras=extras)
